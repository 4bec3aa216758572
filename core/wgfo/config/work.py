"""What the parts of ``resolve()`` share: the document, the plugins, and the mistakes and notices so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel, ValidationError

from wgfo.config.effective import Effective
from wgfo.config.load import Document
from wgfo.config.problems import Problem
from wgfo.config.scan import KeyPath
from wgfo.config.translate import translate
from wgfo.plugin import WgfoError
from wgfo.plugin.manager import Registry

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Work:
    """One run of ``resolve()``."""

    document: Document
    registry: Registry
    site: str | None
    effective: Effective
    problems: list[Problem] = field(default_factory=list)
    notices: dict[str, None] = field(default_factory=dict)
    """Each once, in order."""

    def refuse(self, path: KeyPath, found: str, accepted: str = "", hint: str = "") -> None:
        """Note a mistake."""
        self.problems.append(self.document.problem(path, found, accepted, hint))

    def notice(self, text: str) -> None:
        """Note something that the operator should know."""
        self.notices[text] = None

    def ask(self, path: KeyPath, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T | None:
        """Call a plugin's parser; what it refuses is a mistake at ``path``, and so is its own failure."""
        try:
            return call(*args, **named)
        except (ValueError, WgfoError) as error:
            found, _, accepted = str(error).partition("; accepted: ")
            self.refuse(path, found, accepted)
        except Exception as error:  # noqa: BLE001 - a stranger's code; it must not hide the other mistakes
            self.refuse(
                path, f"the plugin failed: {type(error).__name__}: {error}", hint="report it to its author"
            )
        return None

    def options(
        self,
        path: KeyPath,
        model: type[BaseModel],
        values: Mapping[str, Any],
        known: Iterable[str],
    ) -> BaseModel | None:
        """Validate a plugin's options; ``known`` are the core's own keys of the section at ``path``."""
        try:
            return model.model_validate(dict(values))
        except ValidationError as error:
            found = translate(self.document.root, path, model, error, known)
            self.problems.extend(problem for _, problem in found)
            return None

"""Effective values and where each comes from: the default, a profile, the site, a line, the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from wgfo.config.load import Document
from wgfo.config.scan import KeyPath
from wgfo.model import Bind
from wgfo.plugin.values import Duration

DEFAULT: Final = "default"
COMMAND_LINE: Final = "command line"
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value."""

    key: str
    """As ``group.cloud.detect.fall``."""
    value: object
    """As it would stand in the file: text, numbers, lists."""
    origin: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A section that sets some of the keys; ``label`` names it where its line alone would not say enough."""

    section: BaseModel
    path: KeyPath
    label: str = ""


@dataclass(slots=True)
class Effective:
    """Collects settings; the last layer that sets a key wins."""

    document: Document
    settings: dict[str, Setting] = field(default_factory=dict)

    def overlay(self, model: type[ModelT], layers: Sequence[Layer], key: str) -> ModelT:
        """Merge the layers key by key, and note where each value comes from."""
        values: dict[str, Any] = {}
        for name, info in model.model_fields.items():
            setters = [layer for layer in layers if name in layer.section.model_fields_set]
            nested = info.annotation
            if isinstance(nested, type) and issubclass(nested, BaseModel):
                below = [_below(layer, name) for layer in setters]
                values[name] = self.overlay(nested, below, f"{key}.{name}")
            elif setters:
                values[name] = getattr(setters[-1].section, name)
                self.note(f"{key}.{name}", values[name], self.origin(setters[-1], name))
            else:
                values[name] = info.get_default(call_default_factory=True)
                self.note(f"{key}.{name}", values[name], DEFAULT)
        return model.model_construct(_fields_set=set(values), **values)

    def note(self, key: str, value: object, origin: str) -> None:
        """Add or replace a setting."""
        self.settings[key] = Setting(key, plain(value), origin)

    def origin(self, layer: Layer, name: str) -> str:
        """Say where a layer sets a key."""
        place = self.document.origin((*layer.path, name))
        if not layer.label:
            return str(place) if place else "configuration"
        return f"{layer.label} ({place})" if place else layer.label

    def written(self, key: str, path: KeyPath) -> None:
        """Note everything that is written at a place as it is, with its lines."""
        node = self.document.root.find(path)
        raw = node.raw() if node else None
        for keys, value in _leaves(raw) if isinstance(raw, dict) else ():
            place = self.document.origin((*path, *keys))
            self.note(".".join((key, *keys)), value, str(place) if place else "configuration")

    def mapping(self) -> Mapping[str, object]:
        """Return key → value, for the journal and for comparing."""
        return {key: setting.value for key, setting in self.settings.items()}

    def digest(self) -> str:
        """Return a digest of all values, whatever their origin."""
        text = json.dumps(self.mapping(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _below(layer: Layer, name: str) -> Layer:
    return Layer(getattr(layer.section, name), (*layer.path, name), layer.label)


def _leaves(raw: Mapping[str, Any], keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in raw.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*keys, key))
        else:
            yield (*keys, key), value


def plain(value: object) -> object:
    """Return a value as it stands in a file."""
    match value:
        case Duration() | Path() | Bind():
            return str(value)
        case Enum():
            return value.value
        case tuple() | list():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case BaseModel():
            return value.model_dump(mode="json")
        case _:
            return value

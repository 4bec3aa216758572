"""An operator's request as it comes over the socket: checked here, decided by the engine.

    {"group": "cloud", "kind": "lockout", "path": "primary", "reason": "…", "for_seconds": 3600}

``path`` is for switch, force, lockout and drain; ``clear_kind`` (forced, manual, lockout, paused) for clear;
``for_seconds`` is left out for "until cleared". The answer is ``{"accepted": bool, "text": "…"}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wgfo.config.setup import GroupSetup, Setup
from wgfo.engine.events import OverrideKind, RequestKind
from wgfo.model import GroupName, PathName
from wgfo.plugin.errors import WgfoError

WITH_PATH: Final = frozenset({RequestKind.SWITCH, RequestKind.FORCE, RequestKind.LOCKOUT, RequestKind.DRAIN})
TIMELESS: Final = frozenset({RequestKind.CLEAR, RequestKind.RESUME, RequestKind.ADOPT, RequestKind.RELEASE})
"""Requests that leave no override, so that nothing could expire."""
LONGEST_SECONDS: Final = 10 * 366 * 24 * 3600


class BadRequest(WgfoError):
    """The request makes no sense; the text says what was found and what is accepted."""


class NoSuchGroup(BadRequest):
    """The request names a group that is not here."""


class Request(BaseModel):
    """The body of ``POST /api/v1/requests``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: Annotated[str, Field(max_length=256)]
    kind: RequestKind
    path: Annotated[str, Field(max_length=256)] | None = None
    reason: Annotated[str, Field(max_length=1000)] = ""
    for_seconds: Annotated[float, Field(gt=0, le=LONGEST_SECONDS)] | None = None
    clear_kind: OverrideKind | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that makes sense here."""

    group: GroupName
    kind: RequestKind
    path: PathName | None
    reason: str
    duration_us: int | None
    clear_kind: OverrideKind | None


def parse(body: bytes, setup: Setup) -> Asked:
    """Return the request of a body.

    Raises:
        BadRequest: it makes no sense.
        NoSuchGroup: the group is not here.
    """
    try:
        request = Request.model_validate_json(body)
    except ValidationError as error:
        raise BadRequest(f"request: {_first(error)}") from None
    group = _group(setup.groups, request.group)
    path = _path(group, request)
    if request.clear_kind is not None and request.kind is not RequestKind.CLEAR:
        raise BadRequest(f"request: clear_kind is for clear alone, not for {request.kind}")
    if request.for_seconds is not None and request.kind in TIMELESS:
        raise BadRequest(
            f"request: for_seconds means nothing with {request.kind}, which leaves nothing to expire"
        )
    duration_us = None if request.for_seconds is None else round(request.for_seconds * 1_000_000)
    return Asked(group.name, request.kind, path, request.reason, duration_us, request.clear_kind)


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def _group(groups: Sequence[GroupSetup], name: str) -> GroupSetup:
    for group in groups:
        if group.name == name:
            return group
    known = ", ".join(group.name for group in groups) or "none"
    raise NoSuchGroup(f"there is no group {name!r} here; groups of this process: {known}")


def _path(group: GroupSetup, request: Request) -> PathName | None:
    names = [path.name for path in group.policy.paths]
    if request.kind not in WITH_PATH:
        if request.path is not None:
            raise BadRequest(f"request: {request.kind} takes no path, found {request.path!r}")
        return None
    if request.path is None:
        raise BadRequest(f"request: {request.kind} needs a path, one of {', '.join(names)}")
    if request.path not in names:
        raise BadRequest(f"group {group.name} has no path {request.path!r}; its paths: {', '.join(names)}")
    return PathName(request.path)

"""The shapes of the control API's answers, as far as the commands show them."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class OverrideView(TypedDict):
    """A standing operator request."""

    kind: str
    path: str | None
    reason: str
    by: str
    since: str
    expires: str | None


class AlarmView(TypedDict):
    """An active alarm."""

    name: str
    since: str
    text: str


class FlowsView(TypedDict):
    """What one probe says of a path's flows."""

    kind: str
    text: str
    window_seconds: float


class PathShown(TypedDict):
    """One path."""

    name: str
    state: str
    role: str
    reason: str
    layers: dict[str, str]
    classes: dict[str, str]
    loss_ratio: float | None
    rtt_seconds: float | None
    handshake_age_seconds: float | None
    flows: NotRequired[list[FlowsView]]


TargetShown = TypedDict("TargetShown", {"name": str, "class": str, "state": str, "loss_ratio": float | None})
"""One target of a path; ``class`` is a word of Python's, hence this form."""


class Lost(TypedDict):
    """Probes."""

    lost: int
    possible: int


class RejectedView(TypedDict):
    """An alternative, and why not."""

    path: str
    why: str


class ExplainedPath(PathShown):
    """One path, with what it lacks."""

    targets: list[TargetShown]
    layer_reasons: dict[str, str]
    usable: bool
    clean_rounds: int
    not_moved_to: list[str]
    not_returned_to: list[str]
    threats: list[str]
    background: Lost


class RouteView(TypedDict):
    """One route set."""

    provider: str
    table: str
    prefixes: int
    desired: str | None
    observed: str | None
    in_sync: bool
    exceptions_total: int
    error: str | None


class TimersView(TypedDict):
    """Seconds that are left."""

    restore_seconds: float | None
    damped_seconds: float | None
    hold_off_seconds: float | None
    penalty: int


class GroupView(TypedDict):
    """One group."""

    name: str
    state: str
    active: str | None
    desired: str | None
    epoch: int
    converged: bool
    mode: str
    reason: str
    overrides: list[OverrideView]
    alarms: list[AlarmView]
    paths: list[PathShown]
    routes: list[RouteView]
    timers: TimersView


class ExplainedGroup(TypedDict):
    """One group, with what its state rests on."""

    name: str
    state: str
    active: str | None
    desired: str | None
    epoch: int
    mode: str
    rule: str
    reason: str
    rejected: list[RejectedView]
    overrides: list[OverrideView]
    alarms: list[AlarmView]
    timers: TimersView
    paths: list[ExplainedPath]
    trusted: list[str]
    policy: dict[str, object]


class StatusView(TypedDict):
    """The whole."""

    version: str
    site: str | None
    state: str
    groups: list[GroupView]


SwitchView = TypedDict(
    "SwitchView",
    {
        "at": str,
        "group": str,
        "epoch": int,
        "from": str | None,
        "to": str,
        "rule": str,
        "reason": str,
        "detect_seconds": float | None,
        "write_seconds": float | None,
        "verified_seconds": float | None,
        "first_packet_seconds": float | None,
        "prefixes": int,
        "failed": int,
    },
)
"""One switch; ``from`` is no name of Python's, hence this form."""

"""All figures of a group together, and what they say in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from wgfo.engine.policy import SECOND_US, GroupPolicy
from wgfo.model import LARGE, Finding, PathName, ProbeClass, Severity
from wgfo.telemetry.figures.detector import Detector, detector_of
from wgfo.telemetry.figures.false_alarms import bursty_s, independent_s, longest_unseen_s
from wgfo.telemetry.figures.gray import Found, found
from wgfo.telemetry.figures.outage import Span, blackout, class_fault, handshake, handshake_by_loss

LOSSES: Final = (0.1, 0.2, 0.3, 0.5)
BACKGROUNDS: Final = (0.001, 0.01, 0.02, 0.05)
_WHOLE: Final = 100
GRAY: Final = 0.3
"""The loss for which the handshake's blindness is shown."""
BEARABLE_S: Final = 30 * 86_400.0
"""A false failover a month is what an operator may still put up with."""


@dataclass(frozen=True, slots=True)
class Gray:
    """How long a loss of this share takes to be found."""

    loss: float
    found: Found


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Mean seconds between false failovers at this background loss."""

    loss: float
    independent_s: float
    bursty_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a group's numbers are worth."""

    outage: Span
    hold_off_us: int
    """Comes after the detection, before the move."""
    losses: tuple[Gray, ...]
    classes: tuple[tuple[ProbeClass, Span], ...]
    handshake: Span
    handshake_gray_s: float
    """Mean time until a handshake expires at a loss of ``GRAY``."""
    false_alarms: tuple[FalseAlarms, ...]
    bears: float
    """The largest of ``BACKGROUNDS`` that, independent, costs less than one false failover a month; else 0."""
    unseen: tuple[str, ...]
    """What is not found, or not reliably."""


def figures_of(policy: GroupPolicy) -> Figures | None:
    """Return the figures; None where no probe of the base class runs here. Takes up to a second or two."""
    detector = detector_of(policy)
    outage = blackout(detector)
    if outage is None:
        return None
    losses = tuple(Gray(loss, found(detector, loss)) for loss in LOSSES)
    alarms = tuple(
        FalseAlarms(loss, independent_s(detector, loss), bursty_s(detector, loss)) for loss in BACKGROUNDS
    )
    return Figures(
        outage=outage,
        hold_off_us=policy.hold_off_us,
        losses=losses,
        classes=tuple((one.name, class_fault(one)) for one in detector.classes),
        handshake=handshake(),
        handshake_gray_s=handshake_by_loss(GRAY),
        false_alarms=alarms,
        bears=max((one.loss for one in alarms if one.independent_s >= BEARABLE_S), default=0.0),
        unseen=tuple(_unseen(policy, detector, losses)),
    )


def _unseen(policy: GroupPolicy, detector: Detector, losses: tuple[Gray, ...]) -> Iterator[str]:
    never_s, always_s = longest_unseen_s(detector)
    yield f"an interruption below {never_s:.3g} s, never; one below {always_s:.3g} s, not always"
    for gray in losses:
        if gray.found.p99_us is None:
            yield _missed(gray)
    targets = max(rounds.pooled for rounds in detector.streams)
    if targets * policy.loss.percent > _WHOLE:
        yield f"one dead target of {targets}, the others answering: below {policy.loss.percent} % of all probes"
    yield f"loss that the standby has too, or that is not {policy.loss.margin} points worse than the standby's"
    if detector.confirm_us < max(rounds.interval_us for rounds in detector.streams):
        yield "any loss, reliably: confirm is below an interval, so that no answer of the standby is new enough"
    if detector.anchor_alone:
        yield "a far gateway that answers and forwards nothing: no target stands behind it"
    if all(one.name != LARGE for one in detector.classes):
        yield "packets of the tunnel's full size that are dropped while small ones pass: no probe of class large"
    if policy.latency.median_us is None or not policy.latency.act:
        yield "slow answers: latency warns at most, and moves nothing"


def _missed(gray: Gray) -> str:
    after_s = gray.found.horizon_us / SECOND_US
    missed = 100 * (1 - gray.found.share)
    return f"{gray.loss:.0%} loss: {missed:.3g} % of such faults are not found within {after_s:g} s"


def warnings_of(policy: GroupPolicy, trusted: Collection[PathName] = ()) -> tuple[str, ...]:
    """Return what the operator should know of a configuration; ``trusted``: paths chosen by the address alone."""
    return tuple(f"{one.text}; {one.remedy}" for one in findings_of(policy, trusted))


def findings_of(policy: GroupPolicy, trusted: Collection[PathName] = ()) -> tuple[Finding, ...]:
    """Return the same with severities, each text apart from its remedy."""
    return tuple(_findings(policy, trusted))


def _findings(policy: GroupPolicy, trusted: Collection[PathName]) -> Iterator[Finding]:
    if policy.leading:
        kinds = ", ".join(dict.fromkeys(source.kind for source in policy.leading))
        text = f"no packet is sent here: what {kinds} says decides, as fast and as surely as that is known"
        yield Finding(Severity.INFO, "probes", text, "probe with packets too where this host can")
    elif not policy.base_streams:
        text = "no data-plane probe runs here"
        yield Finding(Severity.WARNING, "probes", text, "give [[group.probe]], or each path a peer")
    elif not any(stream.targets for stream in policy.base_streams):
        text = "the far gateways stand in for missing targets: forwarding is unproven"
        yield Finding(Severity.WARNING, "probes", text, "give [[group.probe]] targets behind them")
    if not policy.has_reference:
        text = "no reference is given: isolation cannot be told from failed paths"
        yield Finding(Severity.WARNING, "reference", text, "set [daemon] reference to hosts next to this one")
    if trusted:
        yield Finding(
            Severity.INFO,
            "bind",
            f'{", ".join(trusted)}: the address alone chooses the path (bind = "address") and is trusted',
            "see that no route leads it elsewhere: the probes would then prove nothing",
        )
    visible = sum(path.visible for path in policy.paths)
    if visible < 2:  # noqa: PLR2004 - semantics.md: fewer than two paths, no voluntary move
        text = f"{visible} of {len(policy.paths)} paths are seen from here: no voluntary move is made"
        yield Finding(
            Severity.WARNING, "paths", text, "give the group a second path that can be seen from here"
        )


def loss_warning(figures: Figures, path: str, lost: int, possible: int, span_us: int) -> str | None:
    """Return a warning where a path loses more in calm times than the limits stand."""
    share = lost / possible if possible else 0.0
    if not lost or share <= figures.bears:
        return None
    return (
        f"{path} lost {lost} of {possible} probes ({share:.2g} of 1) over {span_us / SECOND_US:g} s: more than the "
        f"{figures.bears:.2g} at which false failovers stay below one a month; raise loss.percent or loss.window"
    )

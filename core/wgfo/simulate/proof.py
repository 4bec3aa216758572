"""I3: what a path must have shown before traffic is moved onto it, by what was heard of it."""

from __future__ import annotations

from collections.abc import Iterator

from wgfo.engine.decisions import Switch
from wgfo.engine.policy import GroupPolicy
from wgfo.model import PathState, Verdict
from wgfo.simulate.memory import PathWatch


def unproved(policy: GroupPolicy, path: PathWatch, switch: Switch, now_us: int) -> Iterator[str]:
    """Yield what the destination of an automatic switch lacks."""
    if path.state not in (PathState.UP, PathState.DEGRADED):
        yield f", which is {path.state}"
    told = _not_vouched_for if policy.leading else _not_answered
    yield from told(policy, path, switch, now_us)


def _not_answered(policy: GroupPolicy, path: PathWatch, switch: Switch, now_us: int) -> Iterator[str]:
    """It was usable for ``rise`` rounds, with an answer newer than the fault."""
    fall = max((one.fall for one in policy.base_streams), default=3)
    if path.risen < policy.rise or path.dead(fall):
        yield f", of which only {path.risen} rounds were answered since it was down"
    if switch.fault_us is None or "median_us" in switch.numbers:
        return  # nothing was lost: there is no fault to be newer than
    newest_us = max(path.good_us.values(), default=-1)
    by_loss = "loss_percent" in switch.numbers
    since_us = now_us - policy.loss.confirm_us if by_loss else switch.fault_us + 1
    if newest_us < since_us:
        yield f" without proof newer than the fault: the last answer is {now_us - newest_us} us old"


def _not_vouched_for(policy: GroupPolicy, path: PathWatch, switch: Switch, now_us: int) -> Iterator[str]:
    """A leading source said up for ``rise`` intervals, and still does an interval after the fault."""
    vouched_us = path.vouched_for_us(now_us)
    if path.said is not Verdict.UP or vouched_us < policy.rise * policy.vouch_us:
        yield f", which is said to be {path.said}, and was up for {vouched_us} us"
    if switch.fault_us is not None and now_us - switch.fault_us < policy.vouch_us:
        yield f" only {now_us - switch.fault_us} us after the fault: the other word may be on its way"

"""One write: under a permit, within its deadline, and not over before it can no longer land."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from wgfo.daemon.budget import Priority
from wgfo.daemon.guard import redact, say
from wgfo.daemon.instances import GRACE_US, Instance, Operation, result_word
from wgfo.daemon.permit import CallPermit
from wgfo.daemon.slots import Running, Slot
from wgfo.daemon.terms import Terms
from wgfo.engine.decisions import Point
from wgfo.model import FailureKind, RouteSet, SetChange, SetOutcome, WriteFailure
from wgfo.plugin import ProviderError

_US: Final = 1_000_000
HUNG_US: Final = _US
"""A cancelled call that does not end keeps its table at least so long, whatever the provider declares."""


class Write:
    """Carries out one ``Point``: :meth:`run`, then :meth:`landed`."""

    def __init__(self, slot: Slot, point: Point, instance: Instance, terms: Terms) -> None:
        self.point = point
        self._slot = slot
        self._instance = instance
        self._terms = terms
        self._call: asyncio.Task[SetOutcome] | None = None
        self._given_up_us: int | None = None

    @property
    def may_land(self) -> bool:
        """Whether it was given up without having ended."""
        return self._given_up_us is not None

    async def run(self) -> tuple[SetOutcome | None, str]:
        """Write; return the outcome, None where nobody knows it, and a text."""
        clock, setup = self._terms.clock, self._instance.setup
        begun_us = clock.monotonic_us()
        permit = self._permit(begun_us + setup.deadline_us)
        call = self._call = asyncio.ensure_future(self._instance.provider.point(self._change(), permit))
        self._slot.running = Running(self.point, permit)
        self._slot.writes += 1
        try:
            if not await _ended(call, setup.deadline_us):
                self._give_up(permit)
        finally:
            if not call.done():
                call.cancel()
            self._slot.running = None
            self._slot.writes += 1
        outcome, text, word = self._result(call)
        self._terms.requests(setup.name, Operation.POINT, word, clock.monotonic_us() - begun_us)
        return outcome, text

    async def landed(self) -> None:
        """Return when what was given up has really ended, or cannot land any more (rule 8)."""
        if self._given_up_us is None or self._call is None:
            return
        clock = self._terms.clock
        late_us = self._given_up_us + self._instance.capabilities.late_write_ms * 1_000
        hung_us = max(late_us, self._given_up_us + HUNG_US)
        await asyncio.wait({self._call}, timeout=max(0, hung_us - clock.monotonic_us()) / _US)
        if self._call.done() and not self._call.cancelled():
            self._call.exception()  # it ended by itself: what it did, the next read tells
            return
        await clock.sleep_until_us(late_us)

    def _permit(self, deadline_us: int) -> CallPermit:
        return CallPermit(
            self._instance.budget,
            self._terms.clock,
            deadline_us=deadline_us,
            priority=Priority.FAILOVER if self.point.urgent else Priority.REPAIR,
            order=self._slot.order,
            veto=lambda: self._terms.veto(self._slot.group, self.point.epoch),
        )

    def _change(self) -> SetChange:
        """The fence is used once: after this write the table is another one."""
        observed, self._slot.last = self._slot.last, None
        point = self.point
        return SetChange(self._slot.route_set, point.path, point.epoch, observed, owned=point.owned)

    def _give_up(self, permit: CallPermit) -> None:
        permit.withdraw("the deadline of this call has passed")
        self._given_up_us = self._terms.clock.monotonic_us()

    def _result(self, call: asyncio.Task[SetOutcome]) -> tuple[SetOutcome | None, str, str]:
        """Return outcome, text and the word for the metrics."""
        if self.may_land:
            seconds = self._instance.setup.deadline_us / _US
            return None, f"the write had not ended after {seconds:g} s and may still land", "timeout"
        try:
            outcome: object = call.result()
        except ProviderError as error:
            return self._refused(error)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            return None, say(error), "bug"
        if not isinstance(outcome, SetOutcome) or outcome.set_id != self._slot.route_set.id:
            return None, redact(f"bug in a plugin: point() returned {outcome!r}"), "bug"
        self._pause(outcome)
        return _redacted(outcome), "", "ok" if outcome.ok else "partial"

    def _refused(self, error: ProviderError) -> tuple[SetOutcome | None, str, str]:
        outcome = failed(self._slot.route_set, error)
        self._pause(outcome)
        unknown = error.kind is FailureKind.UNKNOWN
        return None if unknown else outcome, say(error), result_word(error)

    def _pause(self, outcome: SetOutcome) -> None:
        """Honour a retry-after for the whole account; one for a busy table is the engine's to wait for."""
        asked = (failure.retry_after_ms or 0 for failure in outcome.failures if not failure.busy)
        asked_ms = max(asked, default=0)
        if asked_ms:
            self._instance.budget.pause(asked_ms * 1_000)


async def _ended(call: asyncio.Task[SetOutcome], within_us: int) -> bool:
    """Wait for a call, with a moment more: after a stall of ours its result may be waiting for its turn."""
    for wait_us in (within_us, GRACE_US):
        await asyncio.wait({call}, timeout=wait_us / _US)
        if call.done():
            return True
    return False


def failed(route_set: RouteSet, error: ProviderError) -> SetOutcome:
    """Return the outcome of a write that failed as a whole."""
    failure = WriteFailure(error.kind, say(error), retry_after_ms=error.retry_after_ms, busy=error.busy)
    return SetOutcome(route_set.id, 0, failures=(failure,), not_attempted=len(route_set.prefixes))


def _redacted(outcome: SetOutcome) -> SetOutcome:
    """Redact every text once, however many prefixes share it."""
    if not outcome.failures:
        return outcome
    texts = {failure.text: redact(failure.text) for failure in outcome.failures}
    failures = tuple(replace(failure, text=texts[failure.text]) for failure in outcome.failures)
    return replace(outcome, failures=failures)

"""Sending one route and following its operation to the end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

from wgfo.model import Prefix
from wgfo.plugin import (
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    Permit,
    ProviderError,
    Transient,
    Unsupported,
    Withdrawn,
)
from wgfo_azure.client import ArmClient
from wgfo_azure.config import HopSpec
from wgfo_azure.errors import Refusal, operation_failed
from wgfo_azure.operation import Ending, Pace, Progress, Way
from wgfo_azure.routes import Route, State, Table, body_for, in_place, read_route
from wgfo_azure.unsettled import Unsettled

_FOR_ALL: Final = (Transient, Denied, NotFound)
_BLIND_POLLS: Final = 3
"""Polls running that may go unanswered before the end of an operation counts as unknown."""
_LAST_POLL_MS: Final = 250
"""Time before the deadline that is kept for a last poll."""


class NotTaken(Exception):
    """A write was refused for a reason that holds for the whole table: throttled, busy, no rights, not there."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(str(error))
        self.error = error


class Writer:
    """Writes the routes of one table within one call.

    Args:
        arm: sends the requests.
        table: as it was read in this call.
        unsettled: the writes of earlier calls that may still land.
        pace: how often running operations are looked at.
    """

    def __init__(self, arm: ArmClient, table: Table, unsettled: Unsettled, pace: Pace) -> None:
        self._arm = arm
        self._table = table
        self._unsettled = unsettled
        self._pace = pace
        self._wrote = False

    def may_be_undone(self, route: Route) -> bool:
        """Whether an earlier write without an answer may still change this route."""
        return self._unsettled.may_land(self._table.ref, route)

    async def write(self, prefix: Prefix, standing: Route | None, hop: HopSpec, permit: Permit) -> bool:
        """Point one destination at a hop; return False if it turned out to be in place.

        Raises:
            NotTaken: nothing can be written in this table now.
            ProviderError: this destination cannot be.
        """
        name = standing.name if standing else self._table.free_name(prefix)
        if standing is not None:
            standing = await self._up_to_date(standing, permit)
            if in_place(standing, hop) and not self.may_be_undone(standing):
                return False
        self._in_time(permit)
        await self._arm.prepare(permit)
        await permit.write()
        self._wrote = True
        try:
            await self._send(name, prefix, standing, hop, permit)
        except (OutcomeUnknown, asyncio.CancelledError):
            self._unsettled.add(self._table.ref, standing)
            raise
        self._unsettled.remove(self._table.ref, name)
        return True

    def _in_time(self, permit: Permit) -> None:
        """Begin no further write that the deadline would leave in the unknown: the next call goes on."""
        if self._wrote and permit.remaining_ms() < self._pace.typical_ms:
            raise Withdrawn("the deadline of this call is too near for another write")

    async def _up_to_date(self, standing: Route, permit: Permit) -> Route:
        """Read a route anew where its etag cannot be the one that was read.

        That is so after the end of an operation that was running on it, and after a write of ours where the
        routes of a table share their etag.
        """
        running = standing.state is State.RUNNING
        if running:
            await self._ended(standing.name, permit)
        if running or (self._wrote and self._table.shares_etags):
            return await self._again(standing, permit)
        return standing

    async def _send(
        self, name: str, prefix: Prefix, standing: Route | None, hop: HopSpec, permit: Permit
    ) -> None:
        body = body_for(prefix, hop, standing)
        try:
            progress = await self._arm.put_route(self._table.ref, name, body, _condition(standing), permit)
        except _FOR_ALL as error:
            raise NotTaken(error) from None
        await self._follow(name, progress, permit)

    async def _again(self, before: Route, permit: Permit) -> Route:
        """Read a route anew for its etag, which our own write of another route has changed.

        Raises:
            Conflict: it changed otherwise, too, or is gone.
            NotTaken: nothing can be read now.
        """
        where = f"table {self._table.ref}, route {before.name}"
        try:
            answer = await self._arm.route(self._table.ref, before.name, permit)
        except NotFound:
            raise Conflict(f"{where}: somebody deleted it meanwhile; it is observed again") from None
        except _FOR_ALL as error:
            raise NotTaken(error) from None
        now = read_route(answer.body if isinstance(answer.body, dict) else {})
        if not now.says_the_same(before):
            raise Conflict(f"{where}: somebody changed it meanwhile; it is observed again")
        return now

    # --- operations -----------------------------------------------------------------------------------------

    async def _ended(self, name: str, permit: Permit) -> None:
        """Wait for the end, good or bad, of an operation that was running before this call."""
        with contextlib.suppress(Transient, Conflict, Denied, NotFound, Unsupported):
            await self._follow(name, Progress(Ending.RUNNING, Way.ROUTE), permit)

    async def _follow(self, name: str, progress: Progress, permit: Permit) -> None:
        """Poll an operation to its end; every poll takes a permit."""
        where = f"table {self._table.ref}, route {name}"
        begun, polls, blind = time.monotonic(), 0, 0
        while progress.ending is Ending.RUNNING:
            await self._pause(self._pace.wait_ms(polls, progress.retry_after_ms), where, permit)
            try:
                progress = await self._arm.poll(self._table.ref, name, progress, permit)
            except Withdrawn as gone:
                raise _unawaited(where, gone, permit) from None
            except Transient as error:
                blind += 1
                if blind >= _BLIND_POLLS:
                    raise OutcomeUnknown(f"{where}: accepted, but its end cannot be seen: {error}") from None
                progress = _delayed(progress, error)
            except ProviderError as error:
                raise OutcomeUnknown(f"{where}: accepted, but its end cannot be seen: {error}") from None
            else:
                blind = 0
            polls += 1
        if polls:
            self._pace.ended(polls - 1, int((time.monotonic() - begun) * 1000))
        if progress.ending is not Ending.SUCCEEDED:
            canceled = progress.ending is Ending.CANCELED
            raise operation_failed(progress.refused or Refusal(0), where, canceled=canceled)

    async def _pause(self, wait_ms: int, where: str, permit: Permit) -> None:
        """Sleep until the next poll, but keep time for a last one before the deadline."""
        left_ms = permit.remaining_ms()
        if not left_ms:
            raise _unawaited(where, None, permit)
        if wait_ms:
            await asyncio.sleep(min(wait_ms, max(left_ms // 2, left_ms - _LAST_POLL_MS)) / 1000)


def _condition(standing: Route | None) -> dict[str, str]:
    """Return the precondition of a write: the route is still what was read, or there is still none."""
    if standing is None:
        return {"If-None-Match": "*"}
    return {"If-Match": standing.etag} if standing.etag else {}


def _delayed(progress: Progress, error: ProviderError) -> Progress:
    asked_ms = error.retry_after_ms or progress.retry_after_ms
    return Progress(progress.ending, progress.way, progress.url, asked_ms)


def _unawaited(where: str, gone: Withdrawn | None, permit: Permit) -> ProviderError:
    """The operation goes on without us: unknown at the deadline, and withdrawn where a newer epoch waits."""
    if gone is not None and permit.remaining_ms():
        return gone
    return OutcomeUnknown(f"{where}: the operation was accepted and has not ended before the deadline")

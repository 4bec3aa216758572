"""Writes that are followed to their end: request, operation, outcome; and those whose end nobody knows yet.

An *intent* is one insert or delete from the moment before it is sent until its outcome is known. It has one
request id, which it keeps when it is sent again: Google carries out a request id once, so that sending an
unanswered request again settles it. The intents of a table are settled as far as the platform can tell before
anything else is written there; a deletion that stays open makes its route *doomed* (slots.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from wgfo.model import FailureKind, Prefix
from wgfo.plugin import Permit
from wgfo_gcp.errors import Answer, GcpError, from_operation
from wgfo_gcp.hops import Balancers
from wgfo_gcp.routes import NAME_PREFIX, NewRoute, Route, from_api
from wgfo_gcp.sdk import Compute, Session

FIRST_POLL_S: Final = 0.07
LONGEST_POLL_S: Final = 2.0
"""An operation of five seconds takes eight polls; each counts against the project's quota of reads."""
_SLOWER: Final = 2.0
_GONE: Final = 404
"""The platform has forgotten an operation: it ended long ago."""
_PAGE: Final = 500
_RESERVE_MS: Final = 200
"""Kept of a call's time for telling how it went."""


@dataclass(slots=True)
class Intent:
    """A write whose outcome is not known yet."""

    table: str
    request_id: str
    what: object
    """What an insert writes, or the id of the route that a delete deletes."""
    operation: str = ""
    """Set once the platform has accepted it, also when nobody waits for the answer any more."""
    attempts: int = 0
    """How many requests may have reached the platform."""

    def accepted(self, operation: Any) -> Any:
        """Remember the operation; called in the thread that got the answer."""
        self.operation = operation.name
        return operation


class Writer:
    """Writes routes of one project."""

    def __init__(self, compute: Compute, balancers: Balancers) -> None:
        self._compute = compute
        self._balancers = balancers
        self._inserts: dict[str, Intent] = {}
        self._deletes: dict[str, Intent] = {}
        """By the route's name."""
        self._deleted: set[int] = set()
        """Ids of routes that are gone for certain: a list that still shows them is stale."""

    def doomed(self, routes: tuple[Route, ...]) -> frozenset[int]:
        """Return which of these routes may be deleted at any moment by a request of ours."""
        open_ones = {intent.what for intent in self._deletes.values()}
        return frozenset(route.id for route in routes if route.id in open_ones)

    def learn(self, routes: tuple[Route, ...]) -> None:
        """Compare what was just read with what is known, and forget what that settles."""
        shown = {route.id for route in routes}
        self._deleted &= shown
        self._deletes = {
            name: intent for name, intent in self._deletes.items() if intent.operation or intent.what in shown
        }

    def stale(self, routes: tuple[Route, ...]) -> frozenset[Prefix]:
        """Return the destinations for which a list shows what is gone for certain: it is behind the times."""
        return frozenset(route.prefix for route in routes if route.id in self._deleted)

    async def settle(self, table: str, permit: Permit) -> None:
        """Wait for the writes of a table whose end has not been seen, as far as the platform can tell.

        Raises:
            GcpError: an operation cannot be read.
        """
        if any(not intent.operation for intent in self._open(table)):
            await self._compute.quiet(permit)
        if any(not intent.operation for intent in self._open(table)):
            await self.find_running(permit)
        for intents in (self._inserts, self._deletes):
            for name, intent in list(intents.items()):
                if intent.operation and intent.table in {table, ""}:
                    await self._settle_one(intents, name, intent, permit)

    def _open(self, table: str) -> list[Intent]:
        both = (*self._inserts.values(), *self._deletes.values())
        return [intent for intent in both if intent.table in {table, ""}]

    async def find_running(self, permit: Permit) -> None:
        """Learn which writes of ours are under way, begun by a killed process or with a lost answer.

        Only a help: the right to list operations may be missing.
        """

        def send(session: Session, timeout: float) -> list[Any]:
            request = session.api.ListGlobalOperationsRequest(
                project=session.project, filter="status != DONE", max_results=_PAGE
            )
            client = session.client("GlobalOperationsClient")
            return list(next(iter(client.list(request=request, retry=None, timeout=timeout).pages)).items)

        with contextlib.suppress(GcpError):
            for operation in await self._compute.read(permit, send):
                if operation.status.name != "DONE":
                    self._remember(operation)

    def _remember(self, operation: Any) -> None:
        name = operation.target_link.rpartition("/")[2]
        if not name.startswith(NAME_PREFIX):
            return
        intents = self._deletes if operation.operation_type == "delete" else self._inserts
        known = intents.setdefault(name, Intent("", "", operation.target_id))
        known.operation = operation.name

    async def _settle_one(
        self, intents: dict[str, Intent], name: str, intent: Intent, permit: Permit
    ) -> None:
        try:
            await self._ended(await self._poll(intent.operation, permit), permit)
        except GcpError as error:
            if not error.answer.ended and error.answer.status != _GONE:
                raise
        else:
            if intents is self._deletes and isinstance(intent.what, int):
                self._deleted.add(intent.what)
        intents.pop(name, None)

    async def insert(self, new: NewRoute, permit: Permit) -> None:
        """Write a route and wait until it stands; one that stands just so already is fine.

        Raises:
            GcpError: it does not stand, or nobody knows.
        """
        intent = self._inserts.get(new.name)
        if intent is None or intent.what != new:
            intent = self._inserts[new.name] = Intent(new.key.table, str(uuid.uuid4()), new)

        def send(session: Session, timeout: float) -> Any:
            request = session.api.InsertRouteRequest(
                project=session.project,
                request_id=intent.request_id,
                route_resource=session.api.Route(**new.fields(session.project)),
            )
            client = session.client("RoutesClient")
            return intent.accepted(client.insert_unary(request=request, retry=None, timeout=timeout))

        try:
            await self._carry_out(self._inserts, new.name, intent, send, permit)
        except GcpError as error:
            if error.kind is not FailureKind.CONFLICT:
                raise
            await self._read_back(new, error, permit)

    async def delete(self, route: Route, permit: Permit) -> None:
        """Delete a route and wait until it is gone; one that is gone already is fine.

        Raises:
            GcpError: it stands, or nobody knows.
        """
        intent = self._deletes.get(route.name)
        if intent is None or intent.what != route.id or not intent.request_id:
            intent = self._deletes[route.name] = Intent(route.table, str(uuid.uuid4()), route.id)

        def send(session: Session, timeout: float) -> Any:
            request = session.api.DeleteRouteRequest(
                project=session.project, request_id=intent.request_id, route=route.name
            )
            client = session.client("RoutesClient")
            return intent.accepted(client.delete_unary(request=request, retry=None, timeout=timeout))

        try:
            await self._carry_out(self._deletes, route.name, intent, send, permit)
        except GcpError as error:
            if error.kind is not FailureKind.NOT_FOUND:
                raise
        self._deleted.add(route.id)

    # --- one write ------------------------------------------------------------------------------------------

    async def _carry_out(
        self,
        intents: dict[str, Intent],
        name: str,
        intent: Intent,
        send: Callable[[Session, float], Any],
        permit: Permit,
    ) -> None:
        """The intent is forgotten once its outcome is known, and kept when that is not so."""

        def counted(session: Session, timeout: float) -> Any:
            intent.attempts += 1
            return send(session, timeout)

        known = False
        try:
            await self._ended(await self._compute.write(permit, counted), permit)
            known = True
        except GcpError as error:
            intent.attempts -= not error.answer.sent and intent.attempts > 0
            known = error.kind is not FailureKind.UNKNOWN and error.answer.sent
            raise
        finally:
            if known or not intent.attempts:
                intents.pop(name, None)

    async def _ended(self, operation: Any, permit: Permit) -> None:
        """Poll an operation until it is DONE.

        Raises:
            GcpError: it failed; or it cannot be followed to its end, which is then unknown.
        """
        wait_s = FIRST_POLL_S
        while operation.status.name != "DONE":
            if permit.remaining_ms() <= _RESERVE_MS + wait_s * 1000:
                raise _running(operation.name)
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_POLL_S, wait_s * _SLOWER)
            operation = await self._poll(operation.name, permit)
        failed = from_operation(operation)
        if failed is not None:
            raise GcpError(failed, write=True)

    async def _poll(self, name: str, permit: Permit) -> Any:
        def send(session: Session, timeout: float) -> Any:
            request = session.api.GetGlobalOperationRequest(project=session.project, operation=name)
            return session.client("GlobalOperationsClient").get(request=request, retry=None, timeout=timeout)

        try:
            return await self._compute.read(permit, send)
        except GcpError as error:
            raise _unfollowed(name, error) from None

    async def _read_back(self, new: NewRoute, refused: GcpError, permit: Permit) -> None:
        """The name is taken: by this very route, if a process of ours was killed before it had the answer."""
        found = await self._get(new.name, permit)
        same = found is not None and new.stands_as(found) and found.hop is not None
        if same and found is not None and found.hop is not None and self._balancers.same(new.hop, found.hop):
            return
        if found is None:
            text = f"{new.name} exists, but cannot be read yet"
            raise GcpError(Answer(text=text, reason="resourceNotReady", ended=True), write=True)
        raise refused

    async def _get(self, name: str, permit: Permit) -> Route | None:
        def send(session: Session, timeout: float) -> Route:
            request = session.api.GetRouteRequest(project=session.project, route=name)
            found = session.client("RoutesClient").get(request=request, retry=None, timeout=timeout)
            return from_api(found, session.project)

        try:
            return await self._compute.read(permit, send)
        except GcpError as error:
            if error.kind is not FailureKind.NOT_FOUND:
                raise
            return None


def _running(operation: str) -> GcpError:
    text = f"the operation {operation} was still running when the time was over"
    return GcpError(Answer(reason="RUNNING", text=text, timed_out=True), write=True)


def _unfollowed(operation: str, error: GcpError) -> GcpError:
    """An accepted write whose operation cannot be read: it may well have been carried out."""
    text = f"accepted as {operation}, but its outcome cannot be read: {error.answer.text}"
    return Unfollowed(replace(error.answer, text=text, retry_after_ms=error.retry_after_ms), write=True)


class Unfollowed(GcpError):
    """Unknown, whatever the reason why the operation could not be read."""

    def __init__(self, answer: Answer, *, write: bool) -> None:
        super().__init__(answer, write=write)
        self.kind = FailureKind.UNKNOWN

"""The SDK behind a narrow door: one set of clients, threads of our own, one request for each call.

    permit → thread → gate → socket

The *gate* is asked in the thread when the request is signed and about to be sent. Once the call that wanted it has
ended (cancelled, out of time), nothing passes: a thread that hung on the metadata server for half a minute sends no
stale write afterwards. It opens once: the SDK's own repetitions (after a 401, along a redirect) do not pass either.

Operations are polled here with a client of our own: the SDK's ``result()`` makes one of its own that knows nothing
of ``endpoint_url``. The SDK's retries are off, and its timeouts stay below the permit's remaining time.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from wgfo.plugin import Permit
from wgfo_gcp.config import GcpOptions
from wgfo_gcp.errors import Answer, GcpError, from_exception

T = TypeVar("T")
SCOPES: Final = ("https://www.googleapis.com/auth/compute",)
ENDPOINT: Final = "https://compute.googleapis.com"
CLOSE_S: Final = 2.0
LONGEST_S: Final = 20.0
"""The API answers in a second or two; what hangs longer is lost."""
_SHARE: Final = 0.85
"""Of the time left that one request may take; the rest is for telling how it went."""
_PAGES: Final = 200
_UNAUTHORIZED: Final = 401


class Gate:
    """Lets one request out, at most until the call that wants it has ended. Used from two threads."""

    def __init__(self, lifetime_s: float) -> None:
        self._lock = threading.Lock()
        self._closes = time.monotonic() + lifetime_s
        self._closed = False
        self._sent = False

    def pass_through(self) -> None:
        """The request is about to be sent; raises :class:`Withheld` where it must not be any more."""
        with self._lock:
            if self._closed or self._sent or time.monotonic() >= self._closes:
                raise Withheld
            self._sent = True

    def close(self) -> bool:
        """Let nothing out from now on; return whether the request was sent."""
        with self._lock:
            self._closed = True
            return self._sent


class Withheld(Exception):
    """The call had ended before its request could be sent, or had been answered already."""


@dataclass(slots=True)
class Session:
    """What is there once the SDK is imported and the credentials are found."""

    api: Any
    """The module ``google.cloud.compute_v1``."""
    project: str
    make: Callable[[str], Any]
    """Makes a client of that module by its name, or returns the one that was made."""

    def client(self, name: str) -> Any:
        """Return a client such as ``RoutesClient``."""
        return self.make(name)


Call = Callable[[Session, float], T]
"""One request: takes the session and the socket's timeout in seconds; runs in a thread."""


class Compute:
    """The Compute Engine API in one project.

    Args:
        options: whose credentials, which project, which endpoint.
        threads: requests at once.
    """

    def __init__(self, options: GcpOptions, threads: int) -> None:
        self._options = options
        self._threads = threads
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="wgfo-gcp")
        self._here = threading.local()
        self._session: Session | None = None
        self._clients: dict[str, Any] = {}
        self._forget: Callable[[], None] = lambda: None
        """Has the next request fetch a new token."""
        self._making = threading.Lock()
        self._running: set[asyncio.Future[Any]] = set()
        self._given_up: set[asyncio.Future[Any]] = set()
        """Requests that nobody waits for any more, and that have not ended."""

    async def open(self, permit: Permit) -> None:
        """Import the SDK and find the credentials and the project.

        Raises:
            GcpError: there are no credentials, or whoever gives them does not answer in time.
        """
        await permit.read()
        try:
            self._session = await self._run(self._connect, _lifetime_s(permit))
        except TimeoutError:
            text = "the SDK and the credentials were not there in time"
            raise GcpError(Answer(text=text, sent=False), write=False) from None

    async def aclose(self) -> None:
        """Close the connections; threads end with the request they are in, within its timeout."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_S)
        for client in self._clients.values():
            client.transport.close()
        self._clients.clear()

    @property
    def project(self) -> str:
        """The project that is in force."""
        assert self._session is not None, "open() comes first"
        return self._session.project

    @property
    def endpoint(self) -> str:
        """The URL of the API."""
        return self._options.endpoint_url or ENDPOINT

    async def read(self, permit: Permit, call: Call[T]) -> T:
        """Send one reading request.

        Raises:
            GcpError: it was refused, or not answered.
        """
        await permit.read()
        return await self._request(permit, call, write=False)

    async def write(self, permit: Permit, call: Call[T]) -> T:
        """Send one request that changes something.

        Raises:
            GcpError: it was refused, or not answered.
        """
        await permit.write()
        return await self._request(permit, call, write=True)

    async def pages(self, permit: Permit, client: str, request: Callable[[Session, str], Any]) -> list[Any]:
        """Read a list, a permit for each page; ``request`` takes the page's token. Returns the pages."""
        found: list[Any] = []
        token = ""
        while len(found) < _PAGES:
            page = await self.read(permit, _page(client, request, token))
            found.append(page)
            token = page.next_page_token
            if not token:
                return found
        raise GcpError(Answer(text=f"a list of more than {_PAGES} pages", status=400), write=False)

    async def quiet(self, permit: Permit) -> None:
        """Wait until requests that were given up have ended: their answers may still come."""
        if self._given_up:
            await asyncio.wait(self._given_up, timeout=_lifetime_s(permit))

    async def look_up(self, permit: Permit, work: Callable[[], T]) -> T:
        """Do something in a thread that is no request to the API."""
        return await self._run(work, _lifetime_s(permit))

    # --- one request ----------------------------------------------------------------------------------------

    async def _request(self, permit: Permit, call: Call[T], *, write: bool) -> T:
        lifetime_s = _lifetime_s(permit)
        gate = Gate(lifetime_s)
        try:
            return await self._run(lambda: self._send(gate, call, lifetime_s), lifetime_s)
        except TimeoutError:
            raise _given_up(gate, write=write) from None
        except GcpError as error:
            raise GcpError(_judged(error.answer, gate), write=write) from None
        finally:
            gate.close()

    def _send(self, gate: Gate, call: Call[T], lifetime_s: float) -> T:
        """Runs in a thread."""
        self._here.gate = gate
        assert self._session is not None, "open() comes first"
        return call(self._session, lifetime_s)

    async def _run(self, work: Callable[[], T], within_s: float) -> T:
        """Run in a thread of ours; what it raises is translated there, tracebacks and all left behind.

        Raises:
            GcpError: anything that was raised.
            TimeoutError: it took too long, and may go on.
        """
        submitted: Future[T] = self._executor.submit(self._translated, work)
        future = asyncio.wrap_future(submitted)
        self._running.add(future)
        future.add_done_callback(self._over)
        try:
            await asyncio.wait({future}, timeout=within_s)
        finally:
            if not future.done() and not submitted.cancel():
                self._given_up.add(future)
        if not future.done():
            raise TimeoutError
        return future.result()

    def _translated(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the SDK and its parsers may raise anything (rule 10)
            answer = from_exception(error)
        if answer.status == _UNAUTHORIZED:
            self._forget()
        raise GcpError(answer, write=False)

    def _over(self, future: asyncio.Future[Any]) -> None:
        self._running.discard(future)
        self._given_up.discard(future)
        if not future.cancelled():
            future.exception()  # nobody may be left to hear it

    # --- clients --------------------------------------------------------------------------------------------

    def _connect(self) -> Session:
        """Runs in a thread: 2 to 5 s and 150 MB."""
        from google.cloud import compute_v1  # noqa: PLC0415 - an SDK is imported when a provider opens

        credentials, project = _credentials(self._options)
        self._forget = lambda: setattr(credentials, "token", None)

        def make(name: str) -> Any:
            with self._making:
                if name not in self._clients:
                    self._clients[name] = self._client(getattr(compute_v1, name), credentials)
                return self._clients[name]

        session = Session(compute_v1, project, make)
        for name in ("RoutesClient", "GlobalOperationsClient", "NetworksClient"):
            session.client(name)
        return session

    def _client(self, kind: Any, credentials: Any) -> Any:
        options = {"api_endpoint": self._options.endpoint_url} if self._options.endpoint_url else None
        client = kind(credentials=credentials, client_options=options)
        http = client.transport._session  # noqa: SLF001 - the SDK offers no other way to the requests it sends
        http.send = self._gated(http.send)
        http._max_refresh_attempts = 0  # noqa: SLF001 - it would send again what no permit let out
        http.trust_env = not self._options.emulated
        self._widen(http)
        return client

    def _gated(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def gated(request: Any, **arguments: Any) -> Any:
            self._here.gate.pass_through()
            return send(request, **arguments)

        return gated

    def _widen(self, http: Any) -> None:
        """Keep a connection for every thread; adapters with a client certificate are left alone."""
        from requests.adapters import HTTPAdapter  # noqa: PLC0415 - an SDK is imported when a provider opens

        for adapter in http.adapters.values():
            if type(adapter) is HTTPAdapter:
                adapter.init_poolmanager(self._threads, self._threads)


def _credentials(options: GcpOptions) -> tuple[Any, str]:
    """Return the credentials and the project: application default credentials, or none for an emulator."""
    import google.auth  # noqa: PLC0415 - an SDK is imported when a provider opens
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
    from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415

    if options.emulated:
        return AnonymousCredentials(), str(options.project)  # type: ignore[no-untyped-call]
    credentials, project = google.auth.default(scopes=SCOPES)
    found = options.project or project
    if not found:
        raise DefaultCredentialsError
    return credentials, str(found)


def _page(client: str, request: Callable[[Session, str], Any], token: str) -> Call[Any]:
    """Ask for one page; the SDK's pager would fetch the next ones without a permit."""

    def send(session: Session, timeout: float) -> Any:
        asked = request(session, token)
        pager = session.client(client)
        ask = pager.aggregated_list if "Aggregated" in type(asked).__name__ else pager.list
        return next(iter(ask(request=asked, retry=None, timeout=timeout).pages))

    return send


def _lifetime_s(permit: Permit) -> float:
    return min(LONGEST_S, permit.remaining_ms() * _SHARE / 1000)


def _given_up(gate: Gate, *, write: bool) -> GcpError:
    sent = gate.close()
    text = "the API did not answer in time" if sent else "the request was not sent in time"
    return GcpError(Answer(text=text, sent=sent, timed_out=sent), write=write)


def _judged(answer: Answer, gate: Gate) -> Answer:
    """An exception from before the request was sent has changed nothing."""
    if gate.close() or answer.status:
        return answer
    return Answer(answer.status, answer.reason, answer.text, answer.retry_after_ms, sent=False)

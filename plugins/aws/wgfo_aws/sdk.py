"""The SDK behind a narrow door: one client, threads of our own, one request for each call.

    permit → thread → gate → socket

The *gate* is asked in the thread when the request is signed and about to be sent. Once the call that wanted it has
ended (cancelled, out of time), nothing passes: a thread that hung on credentials or a name for half a minute sends
no stale write afterwards. A gate also knows whether anything was sent, which is the difference between "not done"
and "nobody knows".

The SDK's retries are off: they would send what no permit let out, and steady throttling would hide in them for
seconds. Its timeouts are short; a call that has less time left than they are gives up by itself.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from wgfo.plugin import Denied, Permit, ProviderError, Transient
from wgfo_aws.config import AwsOptions
from wgfo_aws.errors import AwsError, from_exception

T = TypeVar("T")
CONNECT_S: Final = 2
READ_S: Final = 8
"""EC2 answers a route's change within a second, on a bad day within a few."""
CLOSE_S: Final = 2.0
SESSION_NAME: Final = "wgfo"
_SHARE: Final = 0.9
"""Of the time left that one request may take; the rest is for telling how it went."""
_SHORTEST_SECRET: Final = 8
Parameters = Mapping[str, Any]
Answer = dict[str, Any]


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
            if self._closed or time.monotonic() >= self._closes:
                raise Withheld
            self._sent = True

    def close(self) -> bool:
        """Let nothing out from now on; return whether the request was sent."""
        with self._lock:
            self._closed = True
            return self._sent


class Withheld(Exception):
    """The call had ended before its request could be sent."""


class Ec2:
    """EC2 in one account and region.

    Args:
        options: whose credentials, which region, which endpoint.
        threads: requests at once.
    """

    def __init__(self, options: AwsOptions, threads: int) -> None:
        self._options = options
        self._threads = threads
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="wgfo-aws")
        self._here = threading.local()
        self._client: Any = None
        self._secrets: frozenset[str] = frozenset()
        self._running: set[asyncio.Future[Any]] = set()

    async def open(self, permit: Permit) -> None:
        """Import the SDK, resolve the credentials (assuming the role), make the client.

        Raises:
            Denied: there are no credentials, or the role cannot be assumed.
            Unsupported: no region, no such profile.
            Transient: whoever gives the credentials does not answer.
        """
        await permit.read()
        try:
            self._client, self._secrets = await self._run(
                lambda: connect(self._options, self._threads), permit.remaining_ms() * _SHARE / 1000
            )
        except TimeoutError:
            raise Transient("the AWS credentials were not there in time; it is tried again") from None
        except AwsError as error:
            raise error.as_provider_error("opening AWS") from None
        self._client.meta.events.register("before-send.ec2", self._before_send)

    async def aclose(self) -> None:
        """Close the connections; threads end with the request they are in, within its timeout."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_S)
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def region(self) -> str:
        """The region that is in force."""
        return str(self._client.meta.region_name)

    async def read(
        self, permit: Permit, what: str, operation: str, parameters: Parameters, into: Callable[[Answer], T]
    ) -> T:
        """Send one reading request; ``into`` makes of the answer what is wanted, in the thread too.

        Raises:
            ProviderError: as ``errors.py`` tells; ``what`` begins its text.
        """
        await permit.read()
        try:
            return await self._request(permit, operation, parameters, into)
        except AwsError as error:
            raise error.as_provider_error(what) from None

    async def write(self, permit: Permit, operation: str, parameters: Parameters) -> None:
        """Send one request that changes something.

        Raises:
            AwsError: it was refused, or not answered.
        """
        await permit.write()
        await self._request(permit, operation, parameters, lambda _answer: None)

    async def dry_run(self, permit: Permit, operation: str, parameters: Parameters) -> AwsError | None:
        """Ask whether a request would be allowed; return EC2's answer, which is always an error, or None."""
        await permit.read()
        try:
            await self._request(permit, operation, {**parameters, "DryRun": True}, lambda _answer: None)
        except AwsError as error:
            return error
        return None

    async def endpoint_addresses(self, permit: Permit) -> tuple[str, tuple[str, ...]]:
        """Return the endpoint's host and what its name resolves to here; nothing is sent to it."""
        host = urlsplit(str(self._client.meta.endpoint_url)).hostname or ""
        try:
            addresses = await self._run(lambda: tuple(resolve(host)), permit.remaining_ms() * _SHARE / 1000)
        except (TimeoutError, AwsError):
            addresses = ()
        return host, addresses

    # --- one request ----------------------------------------------------------------------------------------

    async def _request(
        self, permit: Permit, operation: str, parameters: Parameters, into: Callable[[Answer], T]
    ) -> T:
        lifetime_s = permit.remaining_ms() * _SHARE / 1000
        gate = Gate(lifetime_s)
        try:
            return await self._run(lambda: self._send(gate, operation, parameters, into), lifetime_s)
        except TimeoutError:
            raise _given_up(gate) from None
        except AwsError as error:
            raise error if gate.close() else _unsent(error) from None
        finally:
            gate.close()

    def _send(self, gate: Gate, operation: str, parameters: Parameters, into: Callable[[Answer], T]) -> T:
        """Runs in a thread."""
        self._here.gate = gate
        return into(getattr(self._client, operation)(**parameters))

    def _before_send(self, **_request: object) -> None:
        self._here.gate.pass_through()

    async def _run(self, work: Callable[[], T], within_s: float) -> T:
        """Run in a thread of ours; what it raises is translated there, tracebacks and all left behind.

        Raises:
            AwsError: anything that was raised.
            TimeoutError: it took too long, and may go on.
        """
        submitted: Future[T] = self._executor.submit(self._translated, work)
        future = asyncio.wrap_future(submitted)
        self._running.add(future)
        future.add_done_callback(self._over)
        try:
            await asyncio.wait({future}, timeout=within_s)
        finally:
            submitted.cancel()  # has no effect on one that has begun: that is what gates are for
        if not submitted.done() or submitted.cancelled():
            raise TimeoutError
        return submitted.result()

    def _translated(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK and its parsers may raise anything (rule 10)
            translated = from_exception(error, self._secrets)
        raise translated

    def _over(self, future: asyncio.Future[Any]) -> None:
        self._running.discard(future)
        if not future.cancelled():
            future.exception()  # nobody may be left to hear it


def _given_up(gate: Gate) -> AwsError:
    code = "ReadTimeoutError" if gate.close() else "ConnectTimeoutError"
    return AwsError(code, "no answer before the deadline", answered=False)


def _unsent(error: AwsError) -> AwsError:
    """Return an error after which a write certainly was not carried out."""
    if error.may_have_happened:
        return AwsError("ConnectTimeoutError", f"{error.code} before anything was sent", answered=False)
    return error


def resolve(host: str) -> set[str]:
    """Return the addresses of a name."""
    return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}


# --- making a client, in a thread -------------------------------------------------------------------------


@functools.cache
def _models() -> Any:
    """Return a loader of the SDK's service models that every instance of this process shares.

    Reading EC2's takes half a second of one core; a reload must not pay it again.
    """
    from botocore.session import Session  # noqa: PLC0415 - an SDK is imported when a provider opens

    return Session().get_component("data_loader")


def connect(options: AwsOptions, connections: int) -> tuple[Any, frozenset[str]]:
    """Return an EC2 client, and the texts that must never be shown. Blocks."""
    import boto3  # noqa: PLC0415 - an SDK is imported when a provider opens
    from botocore.session import Session  # noqa: PLC0415

    core = Session(profile=options.profile)
    core.register_component("data_loader", _models())
    if options.role_arn:
        _assume(core, options)
    session = boto3.Session(botocore_session=core, region_name=options.region)
    credentials = session.get_credentials()
    if credentials is None:
        raise Denied(
            "opening AWS: there are no credentials: set profile or role_arn, give the instance a role, or set "
            "AWS_PROFILE in the service's environment"
        )
    frozen = credentials.get_frozen_credentials()
    secrets = {str(text) for text in frozen[:3] if text and len(text) >= _SHORTEST_SECRET}
    client = session.client("ec2", endpoint_url=options.endpoint_url, config=_config(connections))
    return client, frozenset(secrets)


def _config(connections: int = 1) -> Any:
    from botocore.config import Config  # noqa: PLC0415 - an SDK is imported when a provider opens

    return Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=connections,
        user_agent_extra="wgfo",
    )


def _assume(core: Any, options: AwsOptions) -> None:
    """Have a session's credentials come from a role that its own credentials assume, renewed in time."""
    from botocore.credentials import (  # noqa: PLC0415 - an SDK is imported when a provider opens
        AssumeRoleCredentialFetcher,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )

    # An emulator is all of AWS; a private EC2 endpoint is not where STS is.
    endpoint = options.endpoint_url if options.emulated else None
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=functools.partial(
            core.create_client, region_name=options.region, endpoint_url=endpoint, config=_config()
        ),
        source_credentials=_Source(core.get_component("credential_provider")),
        role_arn=options.role_arn,
        extra_args={"RoleSessionName": SESSION_NAME},
    )
    assumed = DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
    core.register_component("credential_provider", CredentialResolver([_Assumed(assumed)]))


class _Source:
    """The credentials that may assume the role, looked up when they are needed."""

    def __init__(self, resolver: Any) -> None:
        self._resolver = resolver
        self._found: Any = None

    def get_frozen_credentials(self) -> Any:
        """Return what the SDK's chain finds."""
        if self._found is None:
            self._found = self._resolver.load_credentials()
        if self._found is None:
            raise Denied(
                "opening AWS: there are no credentials with which to assume role_arn: set profile, give the "
                "instance a role, or set AWS_PROFILE in the service's environment"
            )
        return self._found.get_frozen_credentials()


class _Assumed:
    """A credential provider of the SDK's kind that knows one set."""

    METHOD = "assume-role"
    CANONICAL_NAME = "wgfo-assume-role"

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load(self) -> Any:
        """Return them."""
        return self._credentials

"""The one module that knows the SDK: requests out, plain data and the contract's errors in.

Of the SDK's pipeline only what sends a request is used. Left out are its retries, its redirects (both would send
a request again after its permit), its log of headers, and the policy that registers a resource provider by a
POST of its own. aiohttp, too, sends a PUT a second time when a kept connection breaks; see :func:`_once`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, Self, TypeVar, cast
from urllib.parse import urlsplit

import aiohttp
from azure.core import AzureClouds
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline import PipelineRequest, policies
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.polling import AsyncPollingMethod
from azure.core.rest import HttpRequest
from azure.identity import AzureAuthorityHosts
from azure.identity.aio import DefaultAzureCredential
from azure.mgmt.core.tools import get_arm_endpoints
from azure.mgmt.network.aio import NetworkManagementClient

from wgfo.plugin import Permit, ProviderError, Transient, Withdrawn
from wgfo_azure.config import AzureOptions, Cloud, TableRef, is_loopback
from wgfo_azure.errors import broken, late, refusal, safe, translated
from wgfo_azure.operation import Progress, Response, Way, begun, looked
from wgfo_azure.tokens import Tokens

T = TypeVar("T")
JsonObject = Mapping[str, Any]
_SHARE: Final = 0.9
"""Of the time left that one answer may take; the rest is for reporting."""
_CONNECT_MOST_S: Final = 10.0
_ACCEPTED: Final = 202
_UNAUTHORIZED: Final = 401
_PAGES_MOST: Final = 200
_CLOUDS: Final = {
    Cloud.PUBLIC: (AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
    Cloud.USGOV: (AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
    Cloud.CHINA: (AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
}


class _Broke(aiohttp.ClientError):
    """The connection broke: what was sent may have arrived."""


class _NotSent(aiohttp.ClientError):
    """No connection: nothing was sent."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending again: it does so after two kinds of error, so they become others."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError as error:
        raise _NotSent(str(error)) from None
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broke(str(error) or type(error).__name__) from None


class _Bearer(policies.SansIOHTTPPolicy[Any, Any]):
    """Puts the token into the header; without tokens none is sent, over whatever connection."""

    def __init__(self, tokens: Tokens | None) -> None:
        super().__init__()
        self._tokens = tokens

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if self._tokens is not None:
            request.http_request.headers["Authorization"] = self._tokens.header


class _Initial(AsyncPollingMethod[None]):
    """Keeps the answer to a write, and polls nothing."""

    def __init__(self) -> None:
        self.response: Any = None

    def initialize(self, client: Any, initial_response: Any, deserialization_callback: Any) -> None:
        del client, deserialization_callback
        self.response = initial_response.http_response

    async def run(self) -> None:
        """Nothing is left to do."""

    def status(self) -> str:
        return "Succeeded"

    def finished(self) -> bool:
        return True

    def resource(self) -> None:
        return None


class ArmClient:
    """Azure Resource Manager for one subscription; every request takes a permit and ends within it.

    Args:
        options: where, and as whom.
        tokens: None on plain http, where no credentials are sent.
    """

    def __init__(self, options: AzureOptions, tokens: Tokens | None) -> None:
        cloud, self._authority = _CLOUDS[options.cloud]
        self._home: str = get_arm_endpoints(cloud)["resource_manager"]
        self._endpoint = options.endpoint_url or self._home.rstrip("/")
        self._tokens = tokens
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=tokens is not None,
            middlewares=(_once,),
        )
        self._sdk = NetworkManagementClient(
            credential=_Unused(),
            subscription_id=options.subscription_id,
            base_url=self._endpoint,
            policies=[
                policies.RequestIdPolicy(),
                policies.HeadersPolicy(),
                policies.UserAgentPolicy(user_agent="wgfo"),
                _Bearer(tokens),
            ],
            transport=AioHttpTransport(session=self._session, session_owner=False),
        )

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names that must be reachable: the API's, and where its tokens come from."""
        host = urlsplit(self._endpoint).hostname or ""
        return (host, self._authority) if self._tokens is not None else (host,)

    async def aclose(self) -> None:
        """Close every connection."""
        with contextlib.suppress(AzureError):
            await self._sdk.close()
        await self._session.close()
        if self._tokens is not None:
            await self._tokens.aclose()

    # --- reads ----------------------------------------------------------------------------------------------

    async def table(self, table: TableRef, permit: Permit) -> JsonObject:
        """Return a route table with all its routes."""

        async def get(**options: Any) -> Any:
            return await self._sdk.route_tables.get(table.group, table.name, cls=_json, **options)

        return _object(await self._read(get, permit, f"table {table}"), f"table {table}")

    async def route(self, table: TableRef, name: str, permit: Permit) -> Response:
        """Return one route."""

        async def get(**options: Any) -> Response:
            answer: Any = await self._sdk.routes.get(
                table.group, table.name, name, cls=_response_of, **options
            )
            return cast(Response, answer)

        return await self._read(get, permit, f"table {table}, route {name}")

    async def interfaces(self, permit: Permit) -> AsyncIterator[JsonObject]:
        """Yield the network interfaces of the subscription, page by page."""
        link: str | None = None
        for _ in range(_PAGES_MOST):

            async def get(link: str | None = link, **options: Any) -> tuple[list[dict[str, Any]], str | None]:
                pages = self._sdk.network_interfaces.list_all(**options).by_page(link)
                page = [one.as_dict() async for one in await anext(pages)]
                return page, getattr(pages, "continuation_token", None)

            page, link = await self._read(get, permit, "network interfaces of the subscription")
            for one in page:
                yield one
            if not link or not self._may_ask(link):
                return

    async def poll(self, table: TableRef, name: str, progress: Progress, permit: Permit) -> Progress:
        """Look where an operation stands."""
        if progress.way is Way.ROUTE or not self._may_ask(progress.url):
            return looked(await self.route(table, name, permit), Way.ROUTE, "")
        try:
            answer = await self._get(progress.url, permit, f"table {table}, operation on route {name}")
        except Withdrawn:
            raise
        except ProviderError as error:
            if progress.way is Way.STATUS and isinstance(error, Transient):
                raise
            # Forgotten, not for us to see, or (of a Location) how the operation itself failed: the route tells.
            return looked(await self.route(table, name, permit), Way.ROUTE, "")
        return looked(answer, progress.way, progress.url)

    async def _get(self, url: str, permit: Permit, where: str) -> Response:
        async def get(**options: Any) -> Response:
            response = await self._sdk.send_request(HttpRequest("GET", url), **options)
            response.raise_for_status()
            return _response(response)

        return await self._read(get, permit, where)

    def _may_ask(self, url: str) -> bool:
        """Whether a URL that Azure named is Azure's own: the token goes there."""
        parts = urlsplit(url)
        if self._tokens is None:
            return parts.scheme == "http" and is_loopback(parts.hostname or "")
        known = {_authority(one) for one in (self._endpoint, self._home)}
        return parts.scheme == "https" and _authority(url) in known

    # --- writes ---------------------------------------------------------------------------------------------

    async def prepare(self, permit: Permit) -> None:
        """Do what a write needs beforehand, so that nothing comes between its permit and its sending."""
        if self._tokens is not None:
            await self._tokens.prepare(permit)

    async def put_route(
        self, table: TableRef, name: str, body: dict[str, Any], condition: Mapping[str, str], permit: Permit
    ) -> Progress:
        """Send one route; return what Azure says of the operation. The caller holds the permit to write."""
        where = f"table {table}, route {name}"

        async def put(**options: Any) -> Progress:
            initial, payload = _Initial(), cast(Any, body)
            options |= {"headers": dict(condition), "polling": initial}
            try:
                await self._sdk.routes.begin_create_or_update(
                    table.group, table.name, name, payload, **options
                )
            except HttpResponseError as error:  # the SDK knows 200 and 201; 202 is as good
                if error.response is None or error.response.status_code != _ACCEPTED:
                    raise
                return begun(_response(error.response))
            return begun(_response(initial.response))

        return await self._answered(put, permit, where, writes=True)

    # --- how everything is sent -----------------------------------------------------------------------------

    async def _read(self, get: Callable[..., Awaitable[T]], permit: Permit, where: str) -> T:
        await self.prepare(permit)
        await permit.read()
        return await self._answered(get, permit, where, writes=False)

    async def _answered(
        self, send: Callable[..., Awaitable[T]], permit: Permit, where: str, *, writes: bool
    ) -> T:
        """Await an answer, not beyond the deadline, and translate what goes wrong."""
        within_s = permit.remaining_ms() * _SHARE / 1000
        options = {"connection_timeout": min(_CONNECT_MOST_S, within_s), "read_timeout": within_s}
        try:
            async with asyncio.timeout(within_s):
                answer = await send(**options)
        except ProviderError:
            raise
        except (TimeoutError, ServiceResponseTimeoutError):
            raise late(where, writes=writes) from None
        except HttpResponseError as error:
            raise self._translated(error, where, writes=writes) from None
        except ServiceRequestError as error:
            raise _unsent_or_broken(error, where, writes=writes) from None
        except Exception as error:  # noqa: BLE001 - the SDK decodes answers as it pleases: garbage raises anything
            what = f"the answer cannot be read ({type(error).__name__})"
            raise broken(where, what, writes=writes) from None
        if self._tokens is not None:
            self._tokens.proven()
        return answer

    def _translated(self, error: HttpResponseError, where: str, *, writes: bool) -> ProviderError:
        answer = _response(error.response) if error.response is not None else None
        if answer is None:
            return broken(where, "the answer cannot be read", writes=writes)
        if answer.status == _UNAUTHORIZED and self._tokens is not None:
            challenge = answer.headers.get("WWW-Authenticate", "")
            if self._tokens.refused(challenge):
                return Transient(f"{where}: Azure takes the token no longer; it is tried with a new one")
        refused = refusal(answer.status, answer.body, answer.headers, answer.now_s)
        return translated(refused, where, writes=writes)


class _Unused:
    """The SDK wants a credential; the tokens come by :class:`_Bearer`."""

    async def get_token(self, *_scopes: str, **_options: Any) -> Any:
        raise NotImplementedError("tokens are fetched by wgfo_azure.tokens")

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


def connect(options: AzureOptions) -> ArmClient:
    """Make the client, and on anything but plain http its credential: the SDK's default chain."""
    if options.anonymous:
        return ArmClient(options, None)
    cloud, authority = _CLOUDS[options.cloud]
    scope: str = get_arm_endpoints(cloud)["credential_scopes"][0]
    return ArmClient(options, Tokens(DefaultAzureCredential(authority=authority), scope))


def _authority(url: str) -> str:
    return urlsplit(url).netloc.lower().removesuffix(":443")


def _json(pipeline_response: Any, *_rest: object) -> Any:
    """Take the body as it is: the SDK's models would not know fields that are newer than they."""
    return pipeline_response.http_response.json()


def _response_of(pipeline_response: Any, *_rest: object) -> Response:
    return _response(pipeline_response.http_response)


def _response(response: Any) -> Response:
    """Return status, headers and what can be decoded of the body."""
    try:
        body = response.json()
    except Exception:  # noqa: BLE001 - an error's body may be anything, or not have been read at all
        body = None
    return Response(response.status_code, response.headers, body, time.time())


def _object(body: Any, where: str) -> JsonObject:
    if not isinstance(body, Mapping):
        raise broken(where, "the answer is no JSON object", writes=False)
    return body


def _unsent_or_broken(error: AzureError, where: str, *, writes: bool) -> ProviderError:
    unsent = isinstance(error, ServiceRequestTimeoutError) or isinstance(error.inner_exception, _NotSent)
    if unsent:
        return Transient(f"{where}: no connection to Azure ({safe(str(error))}); it is tried again")
    return broken(where, "the connection to Azure broke", writes=writes)

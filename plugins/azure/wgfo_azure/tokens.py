"""Bearer tokens, fetched before a permit is asked for and never while a request waits to be sent.

The SDK's own policy fetches them in the middle of a request, and answers a challenge by sending the request a
second time. Both would come after the permit; so the token is kept here and only put into the header there.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from typing import Any, Final, Protocol

from azure.core.exceptions import ServiceRequestError, ServiceResponseError

from wgfo.plugin import Denied, Permit, ProviderError, Transient
from wgfo_azure.errors import safe

_EARLY_S: Final = 600
"""A token is renewed so long before it expires; while that fails, the old one serves to its end."""
_LATEST_S: Final = 30
_FETCH_MOST_S: Final = 20.0
_SHARE: Final = 0.8
_CLAIMS: Final = re.compile(r'claims="([A-Za-z0-9+/=_-]+)"')


class AccessToken(Protocol):
    """As the SDK's credentials return it."""

    @property
    def token(self) -> str:
        """The secret."""

    @property
    def expires_on(self) -> int:
        """Seconds of the wall clock."""


class Credential(Protocol):
    """What of an asynchronous SDK credential is used here."""

    async def get_token(self, *scopes: str, claims: str | None = None, **options: Any) -> AccessToken:
        """Fetch a token."""

    async def close(self) -> None:
        """Release its connections."""


class Tokens:
    """The token of one credential for Azure Resource Manager."""

    def __init__(self, credential: Credential, scope: str) -> None:
        self._credential = credential
        self._scope = scope
        self._token: AccessToken | None = None
        self._claims: str | None = None
        self._proven = False
        self._served = False
        """The credential has given a token before."""
        self._lock = asyncio.Lock()

    @property
    def header(self) -> str:
        """The value of the Authorization header; :meth:`prepare` comes first."""
        assert self._token is not None, "prepare() comes first"
        return f"Bearer {self._token.token}"

    async def prepare(self, permit: Permit) -> None:
        """See that a token is there which outlives the next request.

        Raises:
            Denied: none can be had as things are configured.
            Transient: none can be had now.
        """
        if self._lasts(_EARLY_S):
            return
        async with self._lock:
            if not self._lasts(_EARLY_S):
                await permit.read()
                await self._fetch(permit)

    def proven(self) -> None:
        """Azure took the token."""
        self._proven = True

    def refused(self, challenge: str) -> bool:
        """Forget a token that was refused; say whether it had served before, so that a new one may."""
        served, self._proven = self._proven, False
        self._token = None
        self._claims = _claims(challenge)
        return served

    async def aclose(self) -> None:
        """Release the credential's connections."""
        await self._credential.close()

    def _lasts(self, seconds: float) -> bool:
        return self._token is not None and self._token.expires_on - time.time() > seconds

    async def _fetch(self, permit: Permit) -> None:
        within_s = min(_FETCH_MOST_S, permit.remaining_ms() * _SHARE / 1000)
        claims = {"claims": self._claims} if self._claims else {}
        try:
            async with asyncio.timeout(within_s):
                self._token = await self._credential.get_token(self._scope, **claims)
        except Exception as error:  # noqa: BLE001 - the chain of credentials raises what its links raise
            if not self._lasts(_LATEST_S):
                raise self._none(error) from None
        else:
            self._claims, self._served = None, True

    def _none(self, error: Exception) -> ProviderError:
        """Say why there is no token. What worked once, or was not answered, may work again by itself."""
        why = safe(str(error)) or type(error).__name__
        if isinstance(error, TimeoutError):
            why = "no answer in time"
        if self._served or isinstance(error, (OSError, ServiceRequestError, ServiceResponseError)):
            return Transient(f"no token for Azure: {why}; it is tried again")
        return Denied(
            f"no token for Azure: {why}; give this host a managed identity, or set AZURE_CLIENT_ID, "
            f"AZURE_TENANT_ID and AZURE_CLIENT_SECRET (or AZURE_FEDERATED_TOKEN_FILE) for the service"
        )


def _claims(challenge: str) -> str | None:
    """Return the claims that a 401 asks for (continuous access evaluation), decoded."""
    match = _CLAIMS.search(challenge)
    if match is None:
        return None
    text = match.group(1)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None

"""``POST /api/v1/alerts``: Alertmanager's webhook, version 4.

    {"version": "4", "truncatedAlerts": 0, "alerts": [{"status": "firing", "labels": {…}, "startsAt": "…"}, …]}

(https://prometheus.io/docs/alerting/latest/configuration/#webhook_config). Whoever has the token may send; what
arrives is evidence and no command. A request that is refused changes nothing, and is counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from wgfo.daemon.alerts import AlertBoard, TooManyAlerts, Word
from wgfo.daemon.control.endpoint import Served, error_answer, json_answer
from wgfo.plugin.errors import WgfoError
from wgfo.probes.secret import Secret
from wgfo.telemetry.webhook import Notification, WebhookCounts

log = logging.getLogger(__name__)

MOST_BYTES: Final = 1 << 20
BODY_S: Final = 10
PER_SECOND: Final = 50
BURST: Final = 200
_COST: Final = 1_000_000
"""Of a request, so that a microsecond adds PER_SECOND."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Refused(WgfoError):
    """The request is answered with ``status``; the text says why."""

    def __init__(self, status: int, result: Notification, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.result = result


class Bucket:
    """Lets ``PER_SECOND`` requests through, and ``BURST`` at once."""

    def __init__(self, monotonic_us: Callable[[], int]) -> None:
        self._clock = monotonic_us
        self._tokens_us = BURST * _COST
        self._at_us = monotonic_us()

    def take(self) -> bool:
        """Whether one more request may pass."""
        now_us = self._clock()
        filled = self._tokens_us + (now_us - self._at_us) * PER_SECOND
        self._tokens_us = min(BURST * _COST, filled)
        self._at_us = now_us
        if self._tokens_us < _COST:
            return False
        self._tokens_us -= _COST
        return True


class Webhook:
    """The webhook of one daemon.

    Args:
        board: gets what is heard.
        counts: of the metrics.
        monotonic_us: the daemon's clock.
    """

    def __init__(self, board: AlertBoard, counts: WebhookCounts, monotonic_us: Callable[[], int]) -> None:
        self._board = board
        self._counts = counts
        self._bucket = Bucket(monotonic_us)
        self._warned: set[Notification] = set()
        self.token: Secret | None = None
        """What senders must show; None: the webhook is off."""

    async def take(self, request: web.Request) -> web.Response:
        """Answer a notification."""
        try:
            self._admit(request.headers.get("Authorization", ""))
            words = parse(await _body(request))
            heard = self._hear(words)
        except Refused as refused:
            return self._refuse(refused)
        self._counts.notified(Notification.ACCEPTED)
        self._warned.clear()
        for one in heard:
            self._counts.heard(one)
        return json_answer({"api_version": 1, "alerts": len(heard)})

    def _admit(self, authorization: str) -> None:
        if self.token is None:
            raise Refused(
                403,
                Notification.UNAUTHORISED,
                "the alert webhook is off: set [daemon] webhook_token_file to a file with a token",
            )
        scheme, _, offered = authorization.partition(" ")
        if scheme.lower() != "bearer" or not self.token.is_(offered.strip()):
            raise Refused(
                401,
                Notification.UNAUTHORISED,
                "accepted is the header Authorization: Bearer TOKEN with the token of webhook_token_file",
            )
        if not self._bucket.take():
            raise Refused(
                429, Notification.RATE_LIMITED, f"more than {PER_SECOND} notifications a second; send later"
            )

    def _hear(self, words: Sequence[Word]) -> Sequence[str]:
        try:
            return self._board.hear(words)
        except TooManyAlerts as error:
            raise Refused(422, Notification.REFUSED, str(error)) from None

    def _refuse(self, refused: Refused) -> web.Response:
        """Answer, count, and say it once until one is accepted again."""
        self._counts.notified(refused.result)
        if refused.result not in self._warned:
            self._warned.add(refused.result)
            log.warning("webhook: a notification was refused with %d: %s", refused.status, refused)
        answer = error_answer(refused.status, f"alerts: {refused}")
        if refused.status == web.HTTPUnauthorized.status_code:
            answer.headers["WWW-Authenticate"] = "Bearer"
        if refused.status == web.HTTPTooManyRequests.status_code:
            answer.headers["Retry-After"] = "1"
        return answer


async def take_alerts(served: Served, request: web.Request) -> web.StreamResponse:
    """``POST /api/v1/alerts``."""
    if served.webhook is None:
        return error_answer(404, "this process hears no alerts")
    return await served.webhook.take(request)


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await _read(request)
    except TimeoutError:
        raise Refused(408, Notification.MALFORMED, f"the body did not come within {BODY_S} s") from None


async def _read(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Refused(
                413,
                Notification.TOO_LARGE,
                f"more than {MOST_BYTES} bytes; set max_alerts of the webhook in Alertmanager",
            )
    return bytes(body)


# --- what it says -------------------------------------------------------------------------------------------


def _instant_us(text: str) -> int:
    """Return an RFC 3339 time as microseconds since 1970; what is finer is cut off."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no RFC 3339 time") from None
    if instant.tzinfo is None:
        raise ValueError("is a time without a zone")
    return (instant - _EPOCH) // _MICROSECOND


class _Alert(BaseModel):
    model_config = ConfigDict(frozen=True)

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(min_length=1, max_length=256)
    starts_at: Annotated[str, AfterValidator(_instant_us)] = Field(alias="startsAt")


class _Payload(BaseModel):
    """Newer keys are ignored; another version is not."""

    model_config = ConfigDict(frozen=True)

    version: Literal["4"]
    alerts: tuple[_Alert, ...] = Field(max_length=10_000)


def parse(body: bytes) -> Sequence[Word]:
    """Return what a notification says of its alerts.

    Raises:
        Refused: it is no notification of version 4.
    """
    try:
        payload = _Payload.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        text = f"{place}: {first['msg']}" if place else first["msg"]
        raise Refused(
            400, Notification.MALFORMED, f"{text}; accepted is Alertmanager's webhook, version 4"
        ) from None
    return [Word(one.labels, one.status == "firing", int(one.starts_at)) for one in payload.alerts]

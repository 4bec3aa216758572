"""The ``wgfo`` probe: what a wgfo on another host measured of a path, by its ``/api/v1/status``.

    the path is up there                            up
    the path is down there                          down
    degraded, unknown, isolated, no such path       unknown
    no answer                                       the last word, for ``max_age``; then unknown, never down

Two that ask each other would hold each other's word for a finding: an observer asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from wgfo.model import PathView, Verdict
from wgfo.plugin import ProbeContext
from wgfo.plugin.probe import Report
from wgfo.plugin.values import Duration
from wgfo.probes.prometheus import Url

if TYPE_CHECKING:
    from wgfo.probes.json_client import JsonClient
    from wgfo.probes.polling import Said

API_VERSION: Final = 1
_VERDICTS: Final[Mapping[object, Verdict]] = {"up": Verdict.UP, "down": Verdict.DOWN}


class WgfoOptions(BaseModel):
    """Options of ``kind = "wgfo"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    """Of the other's ``[daemon] http``, or of the proxy before it."""
    group: str | None = None
    """The group's name there; None: the same as here."""
    path: str | None = None
    """The path's name there; None: the same as here."""
    max_age: Duration = Duration(10_000_000)
    """How long the last word counts while no answer comes."""
    token_file: Path | None = None
    """File with a bearer token, for a proxy that wants one."""
    tls_verify: bool = True


def judge(options: WgfoOptions, view: PathView, status: Mapping[str, object]) -> Said:
    """Return what the other's status says of the path."""
    if status.get("api_version") != API_VERSION:
        return Verdict.UNKNOWN, "the observer's answer is of another version"
    group = _named(status.get("groups"), options.group or view.group)
    if group is None:
        return Verdict.UNKNOWN, f"the observer has no group {options.group or view.group}"
    if group.get("state") == "isolated":
        return Verdict.UNKNOWN, "the observer is isolated"
    path = _named(group.get("paths"), options.path or view.name)
    if path is None:
        return Verdict.UNKNOWN, f"the observer has no path {options.path or view.name}"
    verdict = _VERDICTS.get(path.get("state"), Verdict.UNKNOWN)
    return verdict, f"the observer says {path.get('state')}: {path.get('reason')}"


def _named(items: object, name: str) -> Mapping[str, object] | None:
    found: Iterable[object] = items if isinstance(items, list) else ()
    return next((one for one in found if isinstance(one, dict) and one.get("name") == name), None)


class WgfoProbe:
    """Asks an observer about one path; implements :class:`wgfo.plugin.PushProbe`."""

    def __init__(self, context: ProbeContext, options: WgfoOptions) -> None:
        self._context = context
        self._options = options
        self._client: JsonClient | None = None
        self._last: Said | None = None
        self._last_us = 0

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Ask once an interval, until cancelled; raises ``ConfigError`` for a bad token file."""
        # aiohttp takes 0.3 s to import; most need none.
        from wgfo.probes.json_client import JsonClient  # noqa: PLC0415
        from wgfo.probes.polling import authorization, report_changes  # noqa: PLC0415

        header = authorization(self._options.token_file, None, None)
        self._client = JsonClient(self._context.timeout_us, header, tls_verify=self._options.tls_verify)
        await report_changes(self._context, self._ask, emit, "observer")

    async def aclose(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self) -> Said:
        from wgfo.probes.json_client import NoAnswer  # noqa: PLC0415 - imported already

        assert self._client is not None, "run() made it"
        asked_us = self._context.monotonic_us()
        try:
            status = await self._client.get(f"{self._options.url}/api/v1/status")
        except NoAnswer as error:
            return self._without_answer(str(error))
        self._last = judge(self._options, self._context.path, status)
        self._last_us = asked_us
        return self._last

    def _without_answer(self, why: str) -> Said:
        age_us = self._context.monotonic_us() - self._last_us
        if self._last is not None and age_us <= self._options.max_age.us:
            return self._last
        return Verdict.UNKNOWN, f"observer: {why}"

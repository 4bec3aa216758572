"""``wgfo emit alertmanager``: routes and the receiver that carry this configuration's alerts to its webhook.

An alert goes out at once (no ``group_wait``) and is repeated often enough that two may be lost before it expires.
The heartbeat has a route of its own: in the alert's group it would hold the first word back by ``group_interval``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wgfo.config.setup import GroupSetup, ProbeSetup, Setup
from wgfo.plugin import ConfigError
from wgfo.plugin.values import Duration
from wgfo.telemetry.emit.yaml import Value, dump

MIN_EXPIRY_US: Final = 6_000_000
INTERVAL_US: Final = 5_000_000
"""How long Alertmanager may gather changes of a group that it has sent already: how late an end is heard."""
RECEIVER: Final = "wgfo"
PEOPLE: Final = "people"
HEADER: Final = """\
# Made by wgfo emit alertmanager. Put your own receivers and routes in the place of people, after those of wgfo.
# Alertmanager's user must be able to read credentials_file. Let Prometheus repeat its alerts more often than every
# minute (--rules.alert.resend-delay=10s): when it dies, they live on for four times that.
"""


@dataclass(frozen=True, slots=True)
class Times:
    """How often Alertmanager must speak for an expiry."""

    group_interval: Duration
    repeat_interval: Duration

    @classmethod
    def within(cls, expiry: Duration, where: str) -> Times:
        """Return what fits ``expiry``: repeated thrice, each up to a ``group_interval`` late.

        Raises:
            ConfigError: it is too short for Alertmanager to keep up with.
        """
        if expiry.us < MIN_EXPIRY_US:
            raise ConfigError(
                f"{where}: expiry {expiry} cannot fit: Alertmanager would have to repeat its alerts faster than it "
                f"can; accepted is at least {Duration(MIN_EXPIRY_US)}"
            )
        gather_us = _whole_ms(min(INTERVAL_US, expiry.us // 6))
        return cls(Duration(gather_us), Duration(_whole_ms(expiry.us // 3)))


def _whole_ms(us: int) -> int:
    return us // 1_000 * 1_000


def alertmanager(setup: Setup) -> str:
    """Return the whole file.

    Raises:
        ConfigError: no probe hears alerts, or an expiry cannot fit.
    """
    routes: list[Value] = [route for group in setup.groups for route in _routes(group)]
    if not routes:
        raise ConfigError(
            "no probe of this configuration hears alerts; accepted is a configuration with [[group.probe]] "
            'kind = "alertmanager"'
        )
    routes.sort(key=json.dumps)
    unique = [route for place, route in enumerate(routes) if route not in routes[:place]]
    unique.append({"receiver": PEOPLE})  # once a route has matched, only another one leads on
    return HEADER + dump(
        {
            "route": {"receiver": PEOPLE, "group_by": ["alertname", "group", "path"], "routes": unique},
            "receivers": [{"name": PEOPLE}, _receiver(setup)],
        }
    )


def _receiver(setup: Setup) -> dict[str, Value]:
    daemon = setup.daemon
    assert daemon.http is not None, "config refuses alert probes without it"
    assert daemon.webhook_token_file is not None, "config refuses alert probes without it"
    webhook: dict[str, Value] = {
        "url": f"http://{daemon.http}/api/v1/alerts",
        "send_resolved": True,
        "http_config": {"authorization": _authorization(daemon.webhook_token_file)},
    }
    return {"name": RECEIVER, "webhook_configs": [webhook]}


def _authorization(token_file: Path) -> dict[str, Value]:
    return {"type": "Bearer", "credentials_file": str(token_file)}


def _routes(group: GroupSetup) -> Iterator[dict[str, Value]]:
    for probe in group.probes:
        if not probe.offer.hears_alerts:
            continue
        options = json.loads(probe.options.model_dump_json())
        times = Times.within(
            Duration.parse(options["expiry"]), f'group "{group.name}", kind {probe.offer.kind}'
        )
        yield _route(group, probe, options["match"], times, to_people=True)
        if options["heartbeat"]:
            yield _route(group, probe, options["heartbeat"], times, to_people=False)


def _route(
    group: GroupSetup, probe: ProbeSetup, labels: Mapping[str, str], times: Times, *, to_people: bool
) -> dict[str, Value]:
    """A heartbeat fires always: nobody but wgfo wants to hear it."""
    by = dict.fromkeys(["group", "path", *(name for name, text in labels.items() if "{" in text)])
    return {
        "receiver": RECEIVER,
        "matchers": _matchers(labels, group.name, probe.paths),
        "group_by": list(by),
        "group_wait": "0s",
        "group_interval": str(times.group_interval),
        "repeat_interval": str(times.repeat_interval),
        "continue": to_people,
    }


def _matchers(labels: Mapping[str, str], group: str, paths: Sequence[str]) -> list[Value]:
    return [f"{name}{_matching(text, group, paths)}" for name, text in sorted(labels.items())]


def _matching(text: str, group: str, paths: Sequence[str]) -> str:
    named = text.replace("{group}", group)
    if "{path}" not in named:
        return f"={json.dumps(named)}"
    every = "|".join(re.escape(named.replace("{path}", path)) for path in paths)
    return f"=~{json.dumps(every)}"

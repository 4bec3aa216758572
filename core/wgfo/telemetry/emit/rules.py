"""``wgfo emit rules``: Prometheus alerting rules with this configuration's own numbers.

Every alert bears a severity, a summary, a description and the address of its section in the runbook. They look
at the daemon's own metrics, scraped or by node_exporter's textfile. Those named ``WgfoCheck…`` look at what
``wgfo check --textfile`` measured, and at nothing that the daemon believes: an alert that the daemon itself
caused would keep itself alive once it decides by alerts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.config.setup import GroupSetup, Setup
from wgfo.engine.policy import SECOND_US
from wgfo.plugin.values import Duration
from wgfo.telemetry.emit.yaml import Value, dump

CHECK_FAILED: Final = "WgfoCheckFailed"
CHECK_ALIVE: Final = "WgfoCheckAlive"
CHECK_FRESH_S: Final = 60
"""A check whose result is older measures no more: its timer ran twice or more in this time."""
RUNBOOK: Final = "runbooks/alerts.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule."""

    name: str
    expr: str
    severity: str
    summary: str
    description: str
    lasting: str = "0s"

    def rule(self, docs: str) -> dict[str, Value]:
        """Return it as Prometheus reads it."""
        annotations: dict[str, Value] = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"{docs}/{RUNBOOK}#{self.name.lower()}",
        }
        rule: dict[str, Value] = {"alert": self.name, "expr": self.expr}
        if self.lasting != "0s":
            rule["for"] = self.lasting
        return rule | {"labels": {"severity": self.severity}, "annotations": annotations}


def rules(setup: Setup, docs: str) -> str:
    """Return the rules file; ``docs`` is where these documents are read, without a slash at its end."""
    named = {"wgfo": alerts(setup), "wgfo-check": check_alerts(setup)}
    groups: list[Value] = [
        {"name": name, "rules": [alert.rule(docs) for alert in members]}
        for name, members in named.items()
        if members
    ]
    return dump({"groups": groups})


def alerts(setup: Setup) -> Sequence[Alert]:
    """Return the alerts for people."""
    return (*COMMON, *_textfile(setup), *(alert for group in setup.groups for alert in _of_group(group)))


WHO: Final = "{{ $labels.group }}/{{ $labels.path }}"

COMMON: Final = (
    Alert(
        "WgfoPathDown",
        'wgfo_path_state{state="down"} == 1',
        "warning",
        f"Path {WHO} is down",
        f"wgfo holds {WHO} for down. Traffic is on another path, if one is usable; there is one reserve less.",
        "30s",
    ),
    Alert(
        "WgfoPathDegraded",
        'wgfo_path_state{state="degraded"} == 1',
        "warning",
        f"Path {WHO} is degraded",
        f"{WHO} loses packets, or a class of them (large ones, TCP) does not pass.",
        "2m",
    ),
    Alert(
        "WgfoNoUsablePath",
        'sum by (instance, job, group) (wgfo_path_state{state="down"})'
        " == count by (instance, job, group) (wgfo_path_up)",
        "critical",
        "Every path of {{ $labels.group }} is down",
        "No path of {{ $labels.group }} carries packets. Routes stay as they are until one works again.",
    ),
    Alert(
        "WgfoNotConverged",
        "sum by (instance, job, group, provider) (wgfo_routes_out_of_sync) > 0",
        "critical",
        "Routes of {{ $labels.group }} are not where they should be",
        "{{ $value }} prefixes of {{ $labels.group }} at {{ $labels.provider }} do not point at the desired path.",
        "1m",
    ),
    Alert(
        "WgfoFrozen",
        "wgfo_frozen == 1",
        "critical",
        "{{ $labels.group }} decides nothing",
        "The controller of {{ $labels.group }} is isolated, or without its lease: it neither decides nor writes.",
        "1m",
    ),
    Alert(
        "WgfoHandshakeChurn",
        "max_over_time(wgfo_wireguard_handshake_age_seconds[5m]) < 60"
        " and rate(wgfo_wireguard_received_bytes_total[5m]) < 50"
        " and count_over_time(wgfo_wireguard_handshake_age_seconds[5m]) >= 3",
        "warning",
        f"{WHO} renews its handshake and receives nothing",
        f"WireGuard on {WHO} makes a new handshake every few seconds while almost no bytes come in: the mark of a "
        "dead data plane behind a tunnel that looks healthy.",
        "1m",
    ),
    Alert(
        "WgfoOverrideLeft",
        "wgfo_override == 1",
        "info",
        "An override of {{ $labels.group }} still stands",
        "A request of kind {{ $labels.kind }} has held {{ $labels.group }} for four hours. Was it forgotten?",
        "4h",
    ),
    Alert(
        "WgfoAbsent",
        "absent(wgfo_build_info)",
        "critical",
        "No wgfo is heard",
        "Prometheus has no metrics of any wgfo: without the daemon there is no failover.",
        "1m",
    ),
)


def _textfile(setup: Setup) -> Iterator[Alert]:
    """Age of the file that node_exporter reads: yours by its name, else any that begins with wgfo."""
    path = setup.daemon.textfile
    name = re.escape(path.name) if path is not None else r"wgfo[^/]*\.prom"
    selector = json.dumps(f"(.*/)?{name}")
    yield Alert(
        "WgfoTextfileStale",
        f"time() - node_textfile_mtime_seconds{{file=~{selector}}} > 120",
        "warning",
        "wgfo no longer writes its textfile",
        "{{ $labels.file }} on {{ $labels.instance }} was last written {{ $value | humanizeDuration }} ago: its "
        "metrics are those of the past.",
        "1m",
    )


def _of_group(group: GroupSetup) -> Iterator[Alert]:
    yield from _on_standby(group)
    yield _flapping(group)
    yield _background_loss(group)


def _on_standby(group: GroupSetup) -> Iterator[Alert]:
    """Longer than wait-to-restore, and then some: traffic could have returned and did not."""
    policy = group.policy
    if len(policy.paths) > 1:
        chosen = _labels(group=group.name)
        other = f"{chosen[:-1]},path!={json.dumps(policy.preferred)}}}"
        yield Alert(
            "WgfoOnStandby",
            f"wgfo_path_active{other} == 1",
            "warning",
            f"{group.name} is still on {{{{ $labels.path }}}}",
            f"Traffic of {group.name} has not returned to {policy.preferred}: it does not stay good, returns are "
            "damped or off, or an override holds.",
            str(Duration(2 * policy.wait_to_restore_us + 1_800 * SECOND_US)),
        )


def _flapping(group: GroupSetup) -> Alert:
    """As many automatic moves as the damping suppresses returns for: a move costs 1000."""
    moves = max(2, group.policy.damping.suppress // 1_000)
    chosen = _labels(group=group.name)
    automatic = f'{chosen[:-1]},rule=~"signal_fail|signal_degrade|service_return|revert"}}'
    return Alert(
        "WgfoFlapping",
        f"sum by (instance, job, group) (increase(wgfo_switches_total{automatic}[1h])) > {moves}",
        "warning",
        f"{group.name} moves to and fro",
        f"More than {moves} automatic moves of {group.name} within an hour.",
    )


def _background_loss(group: GroupSetup) -> Alert:
    """More than a path may lose to be returned to: beyond it, chance begins to move traffic."""
    percent = max(1, group.policy.recover.percent)
    return Alert(
        "WgfoBackgroundLoss",
        f"avg_over_time(wgfo_probe_loss_ratio{_labels(group=group.name)}[10m]) > {percent / 100:g}"
        ' and on (instance, job, group, path) wgfo_path_state{state="up"} == 1',
        "warning",
        f"{WHO} loses more than {percent} %",
        f"{WHO} loses {{{{ $value | humanizePercentage }}}} of its {{{{ $labels.class }}}} packets over ten "
        f"minutes: more than the {percent} % that the thresholds of {group.name} were made for.",
        "5m",
    )


def _labels(**labels: str) -> str:
    return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


# --- alerts for wgfo itself ---------------------------------------------------------------------------------


def check_alerts(setup: Setup) -> Sequence[Alert]:
    """Return the two alerts that a probe of kind ``alertmanager`` of this configuration may ask for."""
    wanted = {
        label
        for group in setup.groups
        for probe in group.probes
        if probe.offer.hears_alerts
        for label in re.findall(r'"alertname": ?"([^"]*)"', probe.options.model_dump_json())
    }
    return [alert for alert in CHECKS if alert.name in wanted]


_FRESH: Final = f"on (instance, job) (time() - wgfo_check_timestamp_seconds < {CHECK_FRESH_S})"

CHECKS: Final = (
    Alert(
        CHECK_FAILED,
        f'max by (instance, job, group, path) (wgfo_path_state{{state="down"}} == 1 and {_FRESH})',
        "critical",
        f"The check of {WHO} fails",
        f"wgfo check found {WHO} down. A daemon that decides by alerts moves traffic.",
    ),
    Alert(
        CHECK_ALIVE,
        f'max by (instance, job, group, path) (wgfo_path_state{{state=~"up|degraded"}} == 1 and {_FRESH})',
        "none",
        f"The check of {WHO} passes",
        f"Always fires while wgfo check finds {WHO} alive: proof for the daemon that alerts arrive.",
    ),
)

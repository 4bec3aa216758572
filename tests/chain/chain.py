"""The classic chain in a lab, of the real programs, all of them on-prem:

wgfo check ─textfile─▶ node_exporter ─▶ Prometheus ─▶ Alertmanager ─webhook─▶ wgfo run ─▶ routes

Its rules and Alertmanager's file are those that ``wgfo emit`` prints for the daemon's configuration.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.trial import Trial
from wgfo.config.load import parse
from wgfo.config.resolve import resolve
from wgfo.lab import actors, config, lab
from wgfo.lab.lab import Lab
from wgfo.lab.topology import Node
from wgfo.plugin.manager import discover
from wgfo.telemetry.emit.alertmanager import alertmanager
from wgfo.telemetry.emit.rules import rules

WITHIN_S = 180
"""For whatever must come to pass on a slow machine."""
ALERTS = """
[[group.probe]]
kind = "alertmanager"
act = "alone"
match = { alertname = "WgfoCheckFailed", group = "{group}", path = "{path}" }
heartbeat = { alertname = "WgfoCheckAlive", group = "{group}", path = "{path}" }
expiry = "30s"
"""
PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:9093"]}}]}}]}}
scrape_configs: [{{job_name: node, static_configs: [{{targets: ["127.0.0.1:9100"]}}]}}]
"""
TEMPLATES = "share/prometheus/alertmanager"
CHECK_LOOP = 'while :; do {wgfo} check --config "$0" --textfile "$1" >/dev/null 2>&1; sleep 1; done'


def direct(made: Lab) -> str:
    """The lab's usual configuration: the daemon probes by itself."""
    return config.text(made.directory)


def by_alerts(made: Lab, token: Path) -> str:
    """The same, but that alerts alone say how the paths are."""
    head, _, rest = direct(made).partition("\n[[group.probe]]")
    routes = rest[rest.index("[[group.route]]") :]
    hooked = head.replace("[daemon]\n", f'[daemon]\nwebhook_token_file = "{token}"\n')
    return f"{hooked}\n{ALERTS}\n{routes}"


@contextlib.contextmanager
def running_chain(made: Lab) -> Iterator[str]:
    """Run everything but the daemon for the length of a block; gives the daemon's configuration."""
    home = made.directory / "chain"
    for name in ("textfiles", "prometheus", "alertmanager"):
        (home / name).mkdir(parents=True)
    token = home / "token"
    token.touch(0o600)
    token.write_text("lab-token-of-the-chain")
    text = by_alerts(made, token)
    setup = resolve(parse(text), discover(), environ={}, hostname="onprem")
    (home / "rules.yml").write_text(rules(setup, "docs"))
    (home / "alertmanager.yml").write_text(alertmanager(setup))
    (home / "prometheus.yml").write_text(PROMETHEUS.format(rules=home / "rules.yml"))
    (home / "check.toml").write_text(direct(made))
    with contextlib.ExitStack() as stack:
        for name, argv in programs(home).items():
            stack.enter_context(running(made, name, argv, home / f"{name}.log"))
        yield text


@contextlib.contextmanager
def running(made: Lab, name: str, argv: list[str], log: Path) -> Iterator[None]:
    """Run a program on-prem for the length of a block; one that ended by itself shows its last words."""
    with log.open("wb") as words:
        process = made.enclosure.popen(argv, Node.ONPREM, name, stdout=words, stderr=words)
        try:
            yield
        finally:
            ended = process.poll() is not None
            made.enclosure.signal(name, signal.SIGKILL)
            process.wait(10)
    assert not ended, f"{name} ended by itself: {log.read_text()[-2000:]}"


def programs(home: Path) -> dict[str, list[str]]:
    loop = CHECK_LOOP.format(wgfo=Path(sys.executable).with_name("wgfo"))
    return {
        "check": ["sh", "-c", loop, str(home / "check.toml"), str(home / "textfiles" / "wgfo.prom")],
        "node-exporter": [
            found("prometheus-node-exporter"),
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={home / 'textfiles'}",
            "--web.listen-address=127.0.0.1:9100",
        ],
        "prometheus": [
            found("prometheus"),
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'prometheus'}",
            "--web.listen-address=127.0.0.1:9090",
            "--rules.alert.resend-delay=5s",
        ],
        "alertmanager": with_templates(
            [
                found("prometheus-alertmanager"),
                f"--config.file={home / 'alertmanager.yml'}",
                f"--storage.path={home / 'alertmanager'}",
                "--web.listen-address=127.0.0.1:9093",
                "--cluster.listen-address=",
            ]
        ),
    }


def with_templates(argv: list[str]) -> list[str]:
    """Debian's Alertmanager wants files of its package; where only the program is here, show it ours."""
    ours = Path(sys.prefix, TEMPLATES)
    if not ours.exists():
        return argv
    there = Path("/usr", TEMPLATES)
    script = f'mount -t tmpfs tmpfs /usr/share && mkdir -p {there} && cp "$0"/* {there} && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(ours), *argv]


def found(program: str) -> str:
    path = shutil.which(program)
    assert path is not None, (
        f"{program} is missing: run scripts/bootstrap monitoring, put .venv/bin into PATH"
    )
    return path


@contextlib.contextmanager
def trial(name: str, *, classic: bool) -> Iterator[Trial]:
    """A lab, a daemon that decides by alerts or by its own packets, and traffic; all is well at the start."""
    with contextlib.ExitStack() as stack:
        made, _ = stack.enter_context(lab.founded(name))
        text = stack.enter_context(running_chain(made)) if classic else direct(made)
        daemon = stack.enter_context(actors.running_daemon(made, Node.ONPREM, text))
        one = Trial(made, daemon, stack.enter_context(actors.running_traffic(made)))
        one.until("both paths up and routes right", lambda: well(one), within=WITHIN_S)
        yield one


def well(one: Trial) -> bool:
    group = one.group
    paths = group.get("paths", [])
    return (
        bool(paths) and all(path["state"] == "up" for path in paths) and bool(group["converged"])
    ) and 0 <= one.ledger.silent_us < 300_000

"""Configurations that files are made from."""

from __future__ import annotations

from wgfo.config.load import parse
from wgfo.config.resolve import resolve
from wgfo.config.setup import Setup
from wgfo.plugin.manager import discover

DIRECT = """
[daemon]
http = "127.0.0.1:9785"
textfile = "/var/lib/prometheus/node-exporter/wgfo.prom"
[[group]]
name = "cloud"
wait_to_restore = "5m"
[[group.path]]
name = "primary"
interface = "wg0"
peer = "10.100.0.1"
[[group.path]]
name = "secondary"
interface = "wg1"
peer = "10.200.0.1"
[[group.probe]]
kind = "icmp"
targets = ["10.20.1.10"]
[[group.route]]
provider = "linux"
tables = ["main"]
prefixes = ["10.20.0.0/16"]
next_hop = { primary = "dev wg0", secondary = "dev wg1" }
"""
ALERTS = """
[[group.probe]]
kind = "alertmanager"
act = "alone"
match = { alertname = "WgfoCheckFailed", group = "{group}", path = "{path}" }
heartbeat = { alertname = "WgfoCheckAlive", group = "{group}", path = "{path}" }
expiry = "60s"
"""
BY_ALERTS = (
    DIRECT.replace("[[group.route]]", f"{ALERTS}[[group.route]]")
    .replace('[[group.probe]]\nkind = "icmp"\ntargets = ["10.20.1.10"]\n', "")
    .replace('textfile = "/var/lib/prometheus/node-exporter/wgfo.prom"', "")
    .replace("[[group]]", 'webhook_token_file = "/etc/wgfo/webhook.token"\n[[group]]')
)


def setup(text: str = DIRECT) -> Setup:
    return resolve(parse(text), discover(), environ={}, hostname="host")

"""Plugins that offer words and nothing behind them: enough to resolve a configuration."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, ConfigDict

from wgfo.model import HTTP, SMALL, TCP, Hop, Layer, PathView, Prefix, TableName, canonical_prefix
from wgfo.plugin import Mode, ProbeOffer, Role, RouteOffer, hookimpl
from wgfo.plugin.manager import Registry, registry_of


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LinuxOptions(Options):
    netns: str | None = None
    metric: int | None = None


class AwsOptions(Options):
    region: str


class IcmpOptions(Options):
    size: int | str | None = None


class HttpOptions(Options):
    status: int = 200


def never(*_: Any) -> Any:
    raise AssertionError("resolving a configuration opens nothing")


def linux_hop(text: str, _options: BaseModel) -> Hop:
    words = text.split()
    if len(words) < 2 or words[0] not in {"dev", "via"}:
        raise ValueError(f"{text!r} is no next hop; accepted: 'dev wg0' or 'via 10.0.0.1'")
    return Hop(text)


def linux_table(text: str, _options: BaseModel) -> TableName:
    return TableName("main" if text == "254" else text)


def linux_scope(options: BaseModel) -> str:
    assert isinstance(options, LinuxOptions)
    return options.netns or "host"


def aws_table(text: str, _options: BaseModel) -> TableName:
    if not text.startswith("rtb-"):
        raise ValueError(f"{text!r} is no route table; accepted: rtb-…")
    return TableName(text)


def aws_hop(text: str, _options: BaseModel) -> Hop:
    if not text.startswith(("eni-", "i-")):
        raise ValueError(f"{text!r} is no next hop; accepted: eni-…, i-…")
    return Hop(text)


def aws_destination(text: str, _options: BaseModel) -> Prefix:
    return Prefix(text) if text.startswith("pl-") else canonical_prefix(text)


def host(text: str) -> str:
    if ":" in text:
        raise ValueError(f"{text!r} is no host; accepted: an address or a name")
    return text


def host_through(text: str, path: PathView) -> str:
    address = path.targets.get(text, text)
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise ValueError(f"target {text!r} has no address through path {path.name!r}") from None


def host_port(text: str) -> str:
    if not text.rpartition(":")[2].isdecimal():
        raise ValueError(f"{text!r} is no host:port; accepted: 10.20.1.10:443")
    return text


def url(text: str) -> str:
    if not text.startswith("http"):
        raise ValueError(f"{text!r} is no URL; accepted: http://…")
    return text


LINUX = RouteOffer(
    "linux", LinuxOptions, linux_table, linux_hop, never, linux_scope, route_keys=frozenset({"metric"})
)
AWS = RouteOffer("aws", AwsOptions, aws_table, aws_hop, never, lambda _: "account", aws_destination)

ICMP = ProbeOffer(
    "icmp",
    Layer.DATAPLANE,
    Role.AUTHORITY,
    Mode.ROUND,
    IcmpOptions,
    never,
    SMALL,
    host,
    host_through,
    default_when=lambda path: path.peer is not None,
)
TCP_PROBE = ProbeOffer(
    "tcp", Layer.DATAPLANE, Role.AUTHORITY, Mode.ROUND, Options, never, TCP, host_port, lambda text, _: text
)
HTTP_PROBE = ProbeOffer(
    "http", Layer.DATAPLANE, Role.AUTHORITY, Mode.ROUND, HttpOptions, never, HTTP, url, lambda text, _: text
)
ALERTS = ProbeOffer("alerts", Layer.DATAPLANE, Role.EVIDENCE, Mode.PUSH, Options, never)
INTERFACE = ProbeOffer(
    "interface",
    Layer.INTERFACE,
    Role.AUTHORITY,
    Mode.PUSH,
    Options,
    never,
    default_when=lambda path: path.interface is not None,
)
HANDSHAKE = ProbeOffer(
    "handshake",
    Layer.HANDSHAKE,
    Role.EVIDENCE,
    Mode.PUSH,
    Options,
    never,
    default_when=lambda path: path.interface is not None,
)


def plugin(
    name: str = "fake", routes: Sequence[RouteOffer] = (), probes: Sequence[ProbeOffer] = ()
) -> SimpleNamespace:
    @hookimpl
    def wgfo_route_offers() -> Sequence[RouteOffer]:
        return routes

    @hookimpl
    def wgfo_probe_offers() -> Sequence[ProbeOffer]:
        return probes

    return SimpleNamespace(
        __name__=name, wgfo_route_offers=wgfo_route_offers, wgfo_probe_offers=wgfo_probe_offers
    )


def core() -> SimpleNamespace:
    return plugin("core", probes=(ICMP, TCP_PROBE, HTTP_PROBE, ALERTS))


def linux() -> SimpleNamespace:
    return plugin("linux", routes=(LINUX,), probes=(INTERFACE, HANDSHAKE))


def aws() -> SimpleNamespace:
    return plugin("aws", routes=(AWS,))


def registry() -> Registry:
    return registry_of(core(), linux(), aws())

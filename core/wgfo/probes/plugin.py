"""Offers the portable probes: icmp, tcp, http, stamp, and those that ask others: prometheus, alertmanager, wgfo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pydantic import BaseModel

from wgfo.model import HTTP, SMALL, TCP, Layer
from wgfo.plugin import Mode, ProbeContext, ProbeOffer, PushProbe, Role, RoundProbe, hookimpl
from wgfo.probes import targets
from wgfo.probes.alertmanager import AlertmanagerOptions, AlertmanagerProbe
from wgfo.probes.http import HttpOptions, HttpProbe
from wgfo.probes.options import IcmpOptions, StampOptions, TcpOptions
from wgfo.probes.prometheus import PrometheusOptions, PrometheusProbe
from wgfo.probes.remote import WgfoOptions, WgfoProbe


def _open_icmp(context: ProbeContext, options: BaseModel) -> RoundProbe:
    from wgfo.probes.icmp import IcmpProbe  # noqa: PLC0415 - loads when it is used

    return IcmpProbe(context, cast("IcmpOptions", options))


def _open_tcp(context: ProbeContext, options: BaseModel) -> RoundProbe:
    from wgfo.probes.tcp import TcpProbe  # noqa: PLC0415 - loads when it is used

    return TcpProbe(context, cast("TcpOptions", options))


def _open_http(context: ProbeContext, options: BaseModel) -> RoundProbe:
    return HttpProbe(context, cast("HttpOptions", options))


def _open_stamp(context: ProbeContext, options: BaseModel) -> RoundProbe:
    from wgfo.probes.stamp import StampProbe  # noqa: PLC0415 - loads when it is used

    return StampProbe(context, cast("StampOptions", options))


def _open_alertmanager(context: ProbeContext, options: BaseModel) -> PushProbe:
    return AlertmanagerProbe(context, cast("AlertmanagerOptions", options))


def _open_prometheus(context: ProbeContext, options: BaseModel) -> PushProbe:
    return PrometheusProbe(context, cast("PrometheusOptions", options))


def _open_wgfo(context: ProbeContext, options: BaseModel) -> PushProbe:
    return WgfoProbe(context, cast("WgfoOptions", options))


ICMP_OFFER = ProbeOffer(
    kind="icmp",
    layer=Layer.DATAPLANE,
    role=Role.AUTHORITY,
    mode=Mode.ROUND,
    options_model=IcmpOptions,
    open=_open_icmp,
    probe_class=SMALL,
    parse_target=targets.parse_host,
    resolve_target=targets.resolve_host,
    default_when=lambda path: path.peer is not None,
)
TCP_OFFER = ProbeOffer(
    kind="tcp",
    layer=Layer.DATAPLANE,
    role=Role.AUTHORITY,
    mode=Mode.ROUND,
    options_model=TcpOptions,
    open=_open_tcp,
    probe_class=TCP,
    parse_target=targets.parse_host_port,
    resolve_target=targets.resolve_host_port,
)
HTTP_OFFER = ProbeOffer(
    kind="http",
    layer=Layer.DATAPLANE,
    role=Role.AUTHORITY,
    mode=Mode.ROUND,
    options_model=HttpOptions,
    open=_open_http,
    probe_class=HTTP,
    parse_target=targets.parse_url,
    resolve_target=targets.resolve_url,
)
STAMP_OFFER = ProbeOffer(
    kind="stamp",
    layer=Layer.DATAPLANE,
    role=Role.AUTHORITY,
    mode=Mode.ROUND,
    options_model=StampOptions,
    open=_open_stamp,
    probe_class=SMALL,
    parse_target=targets.parse_host_port,
    resolve_target=targets.resolve_host_port,
)


ALERTMANAGER_OFFER = ProbeOffer(
    kind="alertmanager",
    layer=Layer.DATAPLANE,
    role=Role.EVIDENCE,
    mode=Mode.PUSH,
    options_model=AlertmanagerOptions,
    open=_open_alertmanager,
    hears_alerts=True,
)

PROMETHEUS_OFFER = ProbeOffer(
    kind="prometheus",
    layer=Layer.DATAPLANE,
    role=Role.EVIDENCE,
    mode=Mode.PUSH,
    options_model=PrometheusOptions,
    open=_open_prometheus,
)
WGFO_OFFER = ProbeOffer(
    kind="wgfo",
    layer=Layer.DATAPLANE,
    role=Role.EVIDENCE,
    mode=Mode.PUSH,
    options_model=WgfoOptions,
    open=_open_wgfo,
)


@hookimpl
def wgfo_probe_offers() -> Sequence[ProbeOffer]:
    """Return the portable kinds."""
    rounds = (ICMP_OFFER, TCP_OFFER, HTTP_OFFER, STAMP_OFFER)
    return (*rounds, PROMETHEUS_OFFER, ALERTMANAGER_OFFER, WGFO_OFFER)

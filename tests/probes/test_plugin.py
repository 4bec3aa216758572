"""What the portable probes offer, and one round of any of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from tests.probes.making import BY_ADDRESS, OK, context, path_view
from wgfo.model import Layer
from wgfo.plugin import Mode, ProbeError, Role
from wgfo.probes import plugin
from wgfo.probes.icmp import IcmpOptions
from wgfo.probes.once import probe_once

OFFERS = {offer.kind: offer for offer in plugin.wgfo_probe_offers()}


def test_the_portable_probes_are_offered_through_an_entry_point() -> None:
    (entry,) = (one for one in entry_points(group="wgfo") if one.name == "probes")
    assert entry.load() is plugin


@pytest.mark.parametrize(("kind", "probe_class"), [("icmp", "small"), ("tcp", "tcp"), ("http", "http")])
def test_each_kind_is_an_authority_on_the_data_plane(kind: str, probe_class: str) -> None:
    offer = OFFERS[kind]
    assert (offer.layer, offer.role, offer.mode) == (Layer.DATAPLANE, Role.AUTHORITY, Mode.ROUND)
    assert offer.probe_class == probe_class
    assert offer.parse_target
    assert offer.resolve_target


def test_icmp_alone_is_a_default_and_only_with_an_anchor() -> None:
    with_anchor, without = path_view("wg0", peer="10.100.0.1"), path_view("wg0")
    assert [kind for kind, offer in OFFERS.items() if offer.default_when(with_anchor)] == ["icmp"]
    assert not any(offer.default_when(without) for offer in OFFERS.values())


@pytest.mark.parametrize("size", [64, 1420, 65535, "mtu", None])
def test_a_size_is_a_number_of_bytes_or_the_mtu(size: object) -> None:
    assert IcmpOptions.model_validate({"size": size}).size == size


@pytest.mark.parametrize("size", [63, 65536, "MTU", "big"])
def test_a_size_beyond_its_limits_is_refused(size: object) -> None:
    with pytest.raises(ValidationError):
        IcmpOptions.model_validate({"size": size})


@pytest.mark.parametrize("kind", ["icmp", "tcp", "http"])
def test_an_unknown_option_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="colour"):
        OFFERS[kind].options_model.model_validate({"colour": "blue"})


async def test_one_round_needs_no_daemon() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        offer = OFFERS["tcp"]
        results = await probe_once(
            offer, context(None, BY_ADDRESS), offer.options_model(), [f"127.0.0.1:{port}"]
        )
    assert [result.outcome for result in results] == [OK]


async def test_a_probe_that_reports_by_itself_has_no_round() -> None:
    offer = replace(OFFERS["tcp"], kind="links", mode=Mode.PUSH)
    with pytest.raises(ProbeError, match="'links' report by themselves"):
        await probe_once(offer, context(None, BY_ADDRESS), offer.options_model(), [])

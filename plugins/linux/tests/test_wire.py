"""rtnetlink bytes and the index over them: pure, no kernel."""

from __future__ import annotations

import errno
import ipaddress
import itertools
import random
import struct

import pytest
from plugins.linux.tests.kernel import routed

from wgfo_linux import wire
from wgfo_linux.index import TableIndex, build
from wgfo_linux.wire import Body, Refusal, RouteDecoder


def decoded(payload: bytes, decoder: RouteDecoder | None = None) -> tuple[bytes, Body]:
    data = wire.message(wire.RTM_NEWROUTE, 0, 1, payload)
    [(_, _, _, _, at, end)] = wire.messages(data)
    return (decoder or RouteDecoder()).decode(data, at, end)


V4 = ("10.20.0.0/16", "0.0.0.0/0", "192.0.2.1/32")
V6 = ("fd20::/32", "::/0", "fd00::1/128")
BY_DEVICE = Body(type=1, protocol=119, flags=0, table=254, metric=0, oif=7)
BY_IPV4 = Body(type=1, protocol=119, flags=0, table=1_190_014, metric=50, oif=7, gateway=bytes([10, 0, 0, 1]))
BY_IPV6 = Body(type=1, protocol=4, flags=0, table=254, metric=1024, gateway=b"\xfd" + bytes(14) + b"\x01")
NOWHERE = Body(type=7, protocol=119, flags=0, table=254, metric=4_000_000_000)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        *itertools.product(V4, (BY_DEVICE, BY_IPV4, BY_IPV6, NOWHERE)),
        *itertools.product(V6, (BY_DEVICE, BY_IPV6, NOWHERE)),
    ],
)
def test_what_is_encoded_is_decoded(text: str, body: Body) -> None:
    packed = wire.destination(text)
    assert decoded(wire.route(packed, body)) == (packed, body)
    assert wire.network(packed) == text


def test_one_body_stands_for_all_routes_that_share_it() -> None:
    decoder, body = RouteDecoder(), Body(1, 119, 0, 254, 0, 7)
    first = decoded(wire.route(wire.destination("10.20.0.0/16"), body), decoder)[1]
    second = decoded(wire.route(wire.destination("10.30.0.0/24"), body), decoder)[1]
    other = decoded(wire.route(wire.destination("10.30.0.0/24"), Body(1, 4, 0, 254, 0, 7)), decoder)[1]
    assert first is second
    assert other.protocol == 4


def test_a_truncated_message_is_refused() -> None:
    data = wire.message(wire.RTM_NEWROUTE, 0, 1, bytes(12))
    with pytest.raises(ValueError, match="28 bytes in the 27"):
        list(wire.messages(data[:-1]))


def error(code: int, text: str, *, capped: bool, request: bytes) -> bytes:
    flags = wire.NLMSG_ACK_TLVS | (wire.NLMSG_CAPPED if capped else 0)
    echoed = request[: wire.HEADER.size] if capped else request
    return wire.message(
        wire.NLMSG_ERROR,
        flags,
        1,
        struct.pack("=i", -code) + echoed + wire.attribute(1, text.encode() + b"\0"),
    )


@pytest.mark.parametrize("capped", [True, False])
def test_the_kernels_sentence_is_found_behind_the_request(capped: bool) -> None:
    request = wire.message(
        wire.RTM_NEWROUTE, 5, 1, wire.route(wire.destination("10.0.0.0/8"), Body(1, 119, 0, 254))
    )
    data = error(errno.EINVAL, "Nexthop has invalid gateway", capped=capped, request=request)
    [(_, flags, _, _, at, end)] = wire.messages(data)
    assert wire.refusal(data, at, end, flags) == Refusal(errno.EINVAL, "Nexthop has invalid gateway")


def test_an_error_of_zero_is_a_yes() -> None:
    data = wire.message(wire.NLMSG_ERROR, 0, 1, bytes(20))
    [(_, flags, _, _, at, end)] = wire.messages(data)
    assert wire.refusal(data, at, end, flags) is None


async def test_the_index_finds_the_longest_configured_prefix_around_a_route() -> None:
    sets = [routed("10.0.0.0/8", "fd00::/8", group="wide"), routed("10.20.0.0/16", group="narrow")]
    index = await build(sets)
    assert index.covering(wire.destination("10.20.7.0/24")) == (wire.destination("10.20.0.0/16"), sets[1].id)
    assert index.concerned(wire.destination("10.30.7.0/24")) == sets[0].id
    assert index.concerned(wire.destination("10.20.0.0/16")) == sets[1].id
    assert index.concerned(wire.destination("fd20::/32")) == sets[0].id
    assert index.concerned(wire.destination("11.0.0.0/8")) is None
    assert index.concerned(wire.destination("0.0.0.0/0")) is None


async def test_the_index_agrees_with_ipaddress_on_random_networks() -> None:
    rng = random.Random(7)

    def some(count: int) -> list[ipaddress.IPv4Network]:
        return [
            ipaddress.IPv4Network((rng.getrandbits(6) << 26 | rng.getrandbits(4) << 12, length), strict=False)
            for length in (rng.randrange(1, 25) for _ in range(count))
        ]

    wanted = some(30)
    index: TableIndex = await build([routed(*map(str, wanted))])
    for network in some(500):
        covers = [one for one in wanted if network.subnet_of(one) and one.prefixlen < network.prefixlen]
        longest = max(covers, key=lambda one: one.prefixlen, default=None)
        found = index.covering(wire.destination(str(network)))
        assert (found and wire.network(found[0])) == (str(longest) if longest else None)

"""Each fault does what it says, on its path alone, and its healing makes the lab whole."""

from __future__ import annotations

import pytest

from tests.lab.bench import Watched
from tests.support.netns import eventually
from wgfo.lab.errors import LabError
from wgfo.lab.topology import (
    BACKEND,
    CLIENT,
    PRIMARY,
    REFERENCE,
    ROUTER,
    SECONDARY,
    SERVER,
    Node,
    PathLabel,
    Tunnel,
)

pytestmark = pytest.mark.net

MTU_SIZED = ("-s", "1392", "-M", "do")


def other(one: Tunnel) -> Tunnel:
    return SECONDARY if one is PRIMARY else PRIMARY


def test_link_down_takes_the_interface_down(watched: Watched) -> None:
    with watched.broken("link-down") as one:
        assert not watched.link_up(one)
        assert watched.through(other(one))


def test_link_down_gives_the_managed_route_back_when_nobody_else_did(watched: Watched) -> None:
    with watched.broken("link-down"):
        assert "10.20.0.0/16" not in watched.run(Node.ONPREM, "ip", "route").stdout
    assert "10.20.0.0/16 dev wg0" in watched.run(Node.ONPREM, "ip", "route").stdout


def test_link_down_leaves_a_route_alone_that_was_moved_meanwhile(watched: Watched) -> None:
    with watched.broken("link-down"):
        watched.run(Node.ONPREM, "ip", "route", "replace", "10.20.0.0/16", "dev", "wg1")
        watched.run(Node.ROUTER, "ip", "route", "replace", "192.168.10.0/24", "via", SECONDARY.vpc)
    assert "10.20.0.0/16 dev wg1" in watched.run(Node.ONPREM, "ip", "route").stdout
    watched.run(Node.ONPREM, "ip", "route", "replace", "10.20.0.0/16", "dev", "wg0")
    watched.run(Node.ROUTER, "ip", "route", "replace", "192.168.10.0/24", "via", PRIMARY.vpc)


@pytest.mark.parametrize("path", list(PathLabel))
def test_gateway_killed_leaves_no_tunnel_and_no_answer(watched: Watched, path: PathLabel) -> None:
    with watched.broken("gateway-killed", path) as one:
        assert not watched.anchor(one)
        assert not watched.pings(Node.CLIENT, one.vpc)
        assert one.interface not in watched.run(one.gateway, "ip", "-br", "link").stdout
        assert watched.through(other(one))


@pytest.mark.parametrize("path", list(PathLabel))
def test_underlay_cut_stops_handshakes_as_well_as_packets(watched: Watched, path: PathLabel) -> None:
    with watched.broken("underlay-cut", path) as one:
        watched.rehandshake(one)
        assert not watched.anchor(one)
        assert watched.handshake(one) == 0
        assert watched.link_up(one)
        assert watched.through(other(one))


@pytest.mark.parametrize("path", list(PathLabel))
def test_silent_drop_passes_handshakes_and_no_packet(watched: Watched, path: PathLabel) -> None:
    with watched.broken("silent-drop", path) as one:
        watched.rehandshake(one)
        assert not watched.anchor(one)
        assert not watched.through(one)
        assert eventually(lambda: watched.handshake(one), what="a handshake during silent-drop")
        assert watched.link_up(one)
        assert watched.through(other(one))


def test_not_forwarding_lets_the_gateway_alone_answer(watched: Watched) -> None:
    with watched.broken("not-forwarding") as one:
        assert watched.anchor(one)
        assert not watched.through(one, CLIENT)
        assert not watched.through(one, BACKEND)
        assert watched.through(other(one))


def test_loss_loses_about_the_share_it_names(watched: Watched) -> None:
    with watched.broken("loss=30%") as one:
        lost, _ = watched.ping_statistics(Node.CLIENT, SERVER, "-c", "200", "-i", "0.01", "-W", "1")
        assert 15 <= lost <= 45
        clean, _ = watched.ping_statistics(
            Node.ONPREM, CLIENT, "-I", other(one).interface, "-c", "50", "-i", "0.01"
        )
        assert clean == 0


def test_loss_of_everything_is_everything(watched: Watched) -> None:
    with watched.broken("loss=100%") as one:
        assert not watched.anchor(one)


def test_mtu_hole_swallows_large_packets_alone(watched: Watched) -> None:
    assert watched.through(PRIMARY, CLIENT, *MTU_SIZED)
    with watched.broken("mtu-hole") as one:
        assert watched.through(one)
        assert not watched.through(one, CLIENT, *MTU_SIZED)
        assert watched.through(other(one), CLIENT, *MTU_SIZED)


def test_tcp_only_fails_tcp_and_passes_icmp(watched: Watched) -> None:
    assert watched.connects(Node.CLIENT, SERVER)
    with watched.broken("tcp-only") as one:
        assert watched.through(one)
        assert watched.pings(Node.CLIENT, SERVER)
        assert not watched.connects(Node.CLIENT, SERVER)


def counter(watched: Watched, node: Node, chain: str) -> int:
    said = watched.run(node, "nft", "list", "chain", "inet", "seen", chain).stdout
    return int(said.partition("packets ")[2].split()[0])


@pytest.mark.parametrize(
    ("fault", "hears", "deaf"),
    [("one-way", Node.GATEWAY_A, Node.ONPREM), ("one-way=to-cloud", Node.ONPREM, Node.GATEWAY_A)],
)
def test_one_way_passes_one_direction(watched: Watched, fault: str, hears: Node, deaf: Node) -> None:
    for node in (hears, deaf):
        rule = "{ chain arrivals { type filter hook input priority 0; udp dport 51820 counter; }; }"
        watched.run(node, "nft", "add", "table", "inet", "seen", rule)
    try:
        with watched.broken(fault) as one:
            before = {node: counter(watched, node, "arrivals") for node in (hears, deaf)}
            assert not watched.anchor(one)
            assert not watched.pings(Node.CLIENT, SERVER)
            assert counter(watched, hears, "arrivals") > before[hears]
            assert counter(watched, deaf, "arrivals") == before[deaf]
    finally:
        for node in (hears, deaf):
            watched.run(node, "nft", "delete", "table", "inet", "seen")


def test_delay_adds_the_time_named_and_loses_nothing(watched: Watched) -> None:
    with watched.broken("delay=200ms") as one:
        lost, mean_ms = watched.ping_statistics(
            Node.ONPREM, CLIENT, "-I", one.interface, "-c", "20", "-i", "0.02", "-W", "2"
        )
        assert lost == 0
        assert 195 <= mean_ms <= 300
        _, unhurt_ms = watched.ping_statistics(Node.ONPREM, CLIENT, "-I", "wg1", "-c", "3", "-i", "0.02")
        assert unhurt_ms < 100


def test_flap_cuts_and_mends_in_turn(watched: Watched) -> None:
    with watched.broken("flap=1s") as one:
        for passes in (False, True, False):
            eventually(lambda wanted=passes: watched.anchor(one) is wanted, what=f"the path {passes}")


def test_allowed_ips_refuses_packets_while_handshakes_succeed(watched: Watched) -> None:
    with watched.broken("allowed-ips") as one:
        assert not watched.anchor(one)
        assert not watched.pings(Node.CLIENT, SERVER)
        watched.rehandshake(one)
        watched.anchor(one)
        assert eventually(lambda: watched.handshake(one), what="a handshake with allowed-ips lost")


def test_key_mismatch_ends_handshakes(watched: Watched) -> None:
    with watched.broken("key-mismatch") as one:
        assert not watched.anchor(one)
        watched.rehandshake(one)
        assert not watched.anchor(one)
        assert watched.handshake(one) == 0


def test_rp_filter_drops_what_arrives_over_the_standby(watched: Watched) -> None:
    with watched.broken("rp-filter") as one:
        assert one is SECONDARY
        assert not watched.through(one, CLIENT)
        assert watched.anchor(one)
        assert watched.through(PRIMARY, CLIENT)


def test_site_dark_takes_the_cloud_hosts_from_both_paths(watched: Watched) -> None:
    with watched.broken("site-dark"):
        for one in (PRIMARY, SECONDARY):
            assert watched.anchor(one)
            assert not watched.through(one, CLIENT)
            assert not watched.through(one, BACKEND)


def test_site_dark_takes_the_onprem_hosts_from_both_paths(watched: Watched) -> None:
    with watched.broken("site-dark=onprem"):
        for one in (PRIMARY, SECONDARY):
            assert watched.pings(Node.CONTROLLER, one.onprem)
            assert not watched.pings(Node.CONTROLLER, one.server)


def test_reference_dark_silences_the_reference_alone(watched: Watched) -> None:
    with watched.broken("reference-dark"):
        assert not watched.pings(Node.ONPREM, REFERENCE)
        assert watched.through(PRIMARY)
    with watched.broken("reference-dark=cloud"):
        assert not watched.pings(Node.CONTROLLER, ROUTER)
        assert watched.pings(Node.CONTROLLER, PRIMARY.server)


def test_the_controller_in_the_cloud_reaches_the_server_through_either_path(watched: Watched) -> None:
    with watched.broken("underlay-cut", PathLabel.PRIMARY):
        assert not watched.pings(Node.CONTROLLER, PRIMARY.server)
        assert not watched.pings(Node.CONTROLLER, PRIMARY.onprem)
        assert watched.pings(Node.CONTROLLER, SECONDARY.server)
        assert watched.pings(Node.CONTROLLER, SECONDARY.onprem)


def test_a_fault_that_is_active_is_not_injected_again(watched: Watched) -> None:
    refused = pytest.raises(LabError, match="active already; `wgfo lab heal loss`")
    with watched.broken("loss=10%"), refused:
        watched.lab.break_("loss=50%")


def test_healing_without_a_name_heals_everything(watched: Watched) -> None:
    watched.lab.break_("underlay-cut", PathLabel.PRIMARY)
    watched.lab.break_("underlay-cut", PathLabel.SECONDARY)
    watched.lab.break_("reference-dark")
    assert len(watched.lab.heal()) == 3
    assert not watched.lab.state.wounds
    eventually(watched.whole, within=15, what="the lab is whole")


def test_a_gateway_that_boots_again_keeps_its_other_faults(watched: Watched) -> None:
    with watched.broken("allowed-ips"):
        watched.lab.break_("gateway-killed")
        watched.lab.heal("gateway-killed")
        assert not watched.anchor(PRIMARY)


def test_healing_what_is_not_broken_says_what_is(watched: Watched) -> None:
    refused = pytest.raises(LabError, match=r"link-down is not active \(active: mtu-hole\)")
    with watched.broken("mtu-hole"), refused:
        watched.lab.heal("link-down")

"""The interface probe against the kernel, in namespaces of its own."""

import asyncio
import secrets

import pytest
from tests.support.netns import namespaces
from tests.support.push import Reports
from tests.support.wireguard import tunnel, wireguard_interface

from wgfo.model import Layer, LayerReport, Verdict
from wgfo.plugin import ProbeError
from wgfo_linux.probes import links, offers
from wgfo_linux.probes.interface import InterfaceProbe, ipv4_destinations, judge
from wgfo_linux.probes.links import LinkTable
from wgfo_linux.probes.rtnetlink import Link

AT_ONCE_S = 0.1
"""The promise of the interface layer; counted from the end of the command that broke it."""
TARGET = "10.20.1.10"


def add_veth(namespace, name: str | None = None) -> tuple[str, str]:
    name, peer = name or f"v{secrets.token_hex(4)}", f"p{secrets.token_hex(4)}"
    namespace.run("ip", "link", "add", name, "type", "veth", "peer", "name", peer)
    namespace.run("ip", "link", "set", name, "up")
    namespace.run("ip", "link", "set", peer, "up")
    return name, peer


def strict(namespace, which: str, value: int = 1) -> None:
    namespace.run("sysctl", "-qw", f"net.ipv4.conf.{which}.rp_filter={value}")


@pytest.fixture
def probe(make_context):
    def make(name: str, table: LinkTable | None = None, **context) -> InterfaceProbe:
        return InterfaceProbe(make_context(name, **context), table or LinkTable())

    return make


@pytest.fixture
def no_poll(monkeypatch):
    """Only events count."""
    monkeypatch.setattr(links, "POLL_S", 3600.0)


@pytest.mark.net
@pytest.mark.usefixtures("no_poll")
class TestFollowsTheKernelsEvents:
    async def test_says_first_that_the_interface_is_up(self, inside, probe, running):
        name, _peer = add_veth(inside)
        async with running(probe(name)) as reports:
            report = await reports.code("up")
        assert report == LayerReport(Layer.INTERFACE, Verdict.UP, f"{name} is up", "up")

    async def test_says_first_that_the_interface_is_missing(self, inside, probe, running):
        async with running(probe("nowhere0")) as reports:
            report = await reports.code("missing")
        assert report.verdict is Verdict.DOWN
        assert report.reason == "there is no interface nowhere0"

    async def test_deleted_wireguard_is_missing_at_once(self, inside, probe, running):
        with wireguard_interface(inside, "10.100.0.2/24") as wireguard:
            async with running(probe(wireguard.name)) as reports:
                await reports.code("up")
                inside.run("ip", "link", "del", wireguard.name)
                seen = await reports.until(lambda report: report.code == "missing", AT_ONCE_S)
        assert seen.verdict is Verdict.DOWN

    async def test_wireguard_that_is_set_down_is_administratively_down_at_once(self, inside, probe, running):
        with wireguard_interface(inside, "10.100.0.2/24") as wireguard:
            async with running(probe(wireguard.name)) as reports:
                await reports.code("up")
                inside.run("ip", "link", "set", wireguard.name, "down")
                report = await reports.code("admin_down", AT_ONCE_S)
                assert report.verdict is Verdict.DOWN
                inside.run("ip", "link", "set", wireguard.name, "up")
                await reports.code("up", AT_ONCE_S)

    async def test_interface_whose_far_end_is_down_has_no_carrier(self, inside, probe, running):
        name, peer = add_veth(inside)
        async with running(probe(name)) as reports:
            await reports.code("up")
            inside.run("ip", "link", "set", peer, "down")
            report = await reports.code("no_carrier")
        assert report.verdict is Verdict.DOWN

    async def test_interface_made_again_under_its_name_is_up_again(self, inside, probe, running):
        name, _peer = add_veth(inside)
        async with running(probe(name)) as reports:
            await reports.code("up")
            inside.run("ip", "link", "del", name)
            await reports.until(lambda report: report.code == "missing", AT_ONCE_S)
            add_veth(inside, name)
            await reports.until(lambda report: report.code == "up")

    async def test_interface_renamed_away_is_missing_until_it_has_its_name_back(self, inside, probe, running):
        name, _peer = add_veth(inside)
        async with running(probe(name)) as reports:
            await reports.code("up")
            inside.run("ip", "link", "set", name, "name", "renamed0")
            await reports.until(lambda report: report.code == "missing", AT_ONCE_S)
            inside.run("ip", "link", "set", "renamed0", "name", name)
            await reports.until(lambda report: report.code == "up")

    async def test_interface_moved_to_another_namespace_is_missing(self, inside, probe, running):
        name, _peer = add_veth(inside)
        with namespaces("away") as (away,):
            async with running(probe(name)) as reports:
                await reports.code("up")
                inside.run("ip", "link", "set", name, "netns", away.name)
                await reports.until(lambda report: report.code == "missing", AT_ONCE_S)

    async def test_leaving_a_bridge_is_not_leaving_the_host(self, inside, probe, running):
        name, _peer = add_veth(inside)
        inside.run("ip", "link", "add", "bridge0", "type", "bridge")
        inside.run("ip", "link", "set", name, "master", "bridge0")
        async with running(probe(name)) as reports:
            await reports.code("up")
            inside.run("ip", "link", "set", name, "nomaster")  # announced as RTM_DELLINK of family AF_BRIDGE
            inside.run("ip", "link", "set", name, "down")
            await reports.code("admin_down")

    async def test_alternative_name_of_another_interface_does_not_count(self, inside, probe, running):
        name, _peer = add_veth(inside)
        inside.run("ip", "link", "property", "add", "dev", name, "altname", "other0")
        async with running(probe("other0")) as reports:
            await reports.code("missing")

    async def test_every_state_of_a_burst_is_told_in_order(self, inside, probe, running):
        name, _peer = add_veth(inside)
        async with running(probe(name)) as reports:
            await reports.code("up")
            for state in ("down", "up", "down"):
                inside.run("ip", "link", "set", name, state)  # the event loop stands still meanwhile
            for code in ("admin_down", "up", "admin_down"):
                await reports.until(lambda report, code=code: report.code == code, AT_ONCE_S)

    async def test_last_state_is_known_although_the_events_overflowed(
        self, inside, probe, running, monkeypatch, tmp_path
    ):
        monkeypatch.setattr(links, "EVENT_BUFFER_BYTES", 4096)
        name, _peer = add_veth(inside)
        batch = tmp_path / "batch"
        batch.write_text(f"link set {name} down\nlink set {name} up\n" * 200 + f"link set {name} down\n")
        async with running(probe(name)) as reports:
            await reports.code("up")
            inside.run("ip", "-batch", str(batch))  # the event loop stands still meanwhile
            async with asyncio.timeout(1.0):
                last = await reports.next()
                while last.code != "admin_down" or not reports._queue.empty():
                    last = await reports.next()

    async def test_two_groups_on_one_interface_share_one_socket_and_both_hear(self, inside, probe, running):
        name, _peer = add_veth(inside)
        table = LinkTable()
        async with running(probe(name, table)) as one:
            await one.code("up")
            socket = table._events
            async with running(probe(name, table)) as other:
                await other.code("up")
                assert table._events is socket
                inside.run("ip", "link", "set", name, "down")
                await one.code("admin_down", AT_ONCE_S)
                await other.code("admin_down", AT_ONCE_S)
            assert table._events is socket
        assert table._events is None
        assert socket.fileno() == -1

    async def test_lost_event_socket_ends_the_probe_with_a_reason_and_a_new_start_works(
        self, inside, probe, running
    ):
        name, _peer = add_veth(inside)
        table = LinkTable()
        told = Reports()
        task = asyncio.create_task(probe(name, table).run(told.emit))
        await told.code("up")
        table._fail(OSError(9, "Bad file descriptor"))
        with pytest.raises(ProbeError, match=r"cannot be read over netlink: .*Bad"):
            await task
        async with running(probe(name, table)) as reports:
            await reports.code("up")


@pytest.mark.net
async def test_what_no_event_told_is_found_within_seconds(inside, probe, running, monkeypatch):
    monkeypatch.setattr(LinkTable, "_apply", lambda _self, _message: None)
    name, _peer = add_veth(inside)
    async with running(probe(name)) as reports:
        await reports.code("up")
        inside.run("ip", "link", "set", name, "down")
        await reports.code("admin_down", 3.0)


@pytest.mark.net
class TestStrictReversePathFiltering:
    @pytest.mark.usefixtures("no_poll")
    async def test_on_all_interfaces_makes_the_layer_unknown_and_says_what_to_do(
        self, inside, probe, running
    ):
        name, _peer = add_veth(inside)
        async with running(probe(name)) as reports:
            await reports.code("up")
            strict(inside, "all")
            report = await reports.code("rp_filter")
            assert report.verdict is Verdict.UNKNOWN
            assert report.reason.startswith("rp_filter: strict reverse-path filtering on ")
            assert "(net.ipv4.conf.all.rp_filter=1)" in report.reason
            assert report.reason.endswith(f"set net.ipv4.conf.{name}.rp_filter=2")
            strict(inside, name, 2)  # the advice that it gives
            await reports.code("up")

    @pytest.mark.usefixtures("no_poll")
    async def test_on_the_interface_alone_is_seen_too(self, inside, probe, running):
        name, _peer = add_veth(inside)
        async with running(probe(name)) as reports:
            await reports.code("up")
            strict(inside, name)
            assert f"(net.ipv4.conf.{name}.rp_filter=1)" in (await reports.code("rp_filter")).reason

    async def test_on_another_interface_does_not_matter(self, inside, probe, running):
        name, peer = add_veth(inside)
        strict(inside, peer)
        async with running(probe(name)) as reports:
            await reports.code("up")

    async def test_present_at_the_start_is_told_first(self, inside, probe, running):
        name, _peer = add_veth(inside)
        strict(inside, "all")
        async with running(probe(name)) as reports:
            await reports.code("rp_filter")

    async def test_of_a_new_interface_is_read_although_its_event_does_not_tell_it(
        self, inside, probe, running
    ):
        strict(inside, "default")
        async with running(probe("fresh0")) as reports:
            await reports.code("missing")
            add_veth(inside, "fresh0")
            await reports.until(lambda report: report.code == "rp_filter")

    async def test_does_not_matter_where_all_that_is_probed_is_ipv6(self, inside, probe, running):
        name, _peer = add_veth(inside)
        strict(inside, "all")
        async with running(probe(name, destinations=["2001:db8::1", "[2001:db8::2]:443"])) as reports:
            await reports.code("up")

    async def test_discredits_the_standby_exactly_while_the_kernel_drops_its_replies(self, probe, running):
        """The kernel is the judge: what the probe says is compared with a ping through the same device."""
        allowed = {"left_allowed": [f"{TARGET}/32"], "right_allowed": []}
        with (
            namespaces("left", "right") as (left, right),
            tunnel(left, right, number=0, **allowed) as active,
            tunnel(left, right, number=1, **allowed) as standby,
            left.entered(),
        ):
            right.run("ip", "address", "add", f"{TARGET}/32", "dev", "lo")
            left.run("ip", "route", "add", "10.20.0.0/16", "dev", active.left.name)
            strict(left, "all")
            table = LinkTable()

            def replies(interface: str) -> bool:
                return "1 received" in left.run(
                    "ping", "-c", "1", "-W", "1", "-I", interface, TARGET, check=False
                )

            async with (
                running(probe(active.left.name, table, destinations=[TARGET])) as of_active,
                running(probe(standby.left.name, table, destinations=[TARGET])) as of_standby,
            ):
                assert replies(active.left.name)
                assert not (await of_active.code("rp_filter")).discredits
                assert not replies(standby.left.name)
                report = await of_standby.code("rp_filter")
                assert report.discredits
                assert f"as that to {TARGET} does not" in report.reason

                left.run("ip", "rule", "add", "from", standby.left_address, "lookup", "777")
                left.run("ip", "route", "add", "default", "dev", standby.left.name, "table", "777")
                assert replies(standby.left.name)
                report = await of_standby.code("rp_filter", 2.0)
                assert not report.discredits

    async def test_does_not_discredit_by_the_anchor_on_the_interfaces_own_subnet(
        self, inside, probe, running
    ):
        name, _peer = add_veth(inside)
        inside.run("ip", "address", "add", "10.100.0.2/24", "dev", name)
        strict(inside, "all")
        async with running(probe(name, peer="10.100.0.1")) as reports:
            assert not (await reports.code("rp_filter")).discredits

    async def test_discredits_by_the_anchor_where_nothing_else_is_probed(self, inside, probe, running):
        name, _peer = add_veth(inside)
        other, _peer = add_veth(inside)
        inside.run("ip", "address", "add", "10.100.0.2/32", "dev", name)
        inside.run("ip", "address", "add", "10.9.0.2/24", "dev", other)
        inside.run("ip", "route", "add", "default", "via", "10.9.0.1")
        strict(inside, "all")
        async with running(probe(name, peer="10.100.0.1")) as reports:
            assert (await reports.code("rp_filter")).discredits


class TestJudgement:
    @pytest.mark.parametrize(
        ("link", "code"),
        [
            (None, "missing"),
            (Link(1, up=False, carrier=False, rp_filter=1), "admin_down"),
            (Link(1, up=False, carrier=True), "admin_down"),
            (Link(1, up=True, carrier=False, rp_filter=1), "no_carrier"),
            (Link(1, up=True, carrier=True, rp_filter=1), "rp_filter"),
        ],
    )
    def test_of_several_faults_the_strongest_is_named(self, link, code):
        assert judge("wg0", link, ()).code == code

    @pytest.mark.parametrize(
        ("own", "everyone", "is_strict"),
        [(0, 0, False), (1, 0, True), (0, 1, True), (2, 1, False), (1, 2, False), (1, 1, True)],
    )
    def test_the_larger_of_both_settings_counts(self, own, everyone, is_strict):
        assert Link(1, up=True, carrier=True, rp_filter=own, rp_filter_all=everyone).strict is is_strict

    def test_sysctl_key_of_a_name_with_a_dot_is_the_one_that_sysctl_takes(self):
        report = judge("wg0.5", Link(1, up=True, carrier=True, rp_filter=1), ())
        assert report.reason.endswith("set net.ipv4.conf.wg0/5.rp_filter=2")


@pytest.mark.parametrize(
    ("destinations", "peer", "found"),
    [
        ([TARGET, f"{TARGET}:443", "http://10.20.2.10/?v=1.2.3.4.5"], "10.100.0.1", (TARGET, "10.20.2.10")),
        (["2001:db8::1"], "10.100.0.1", ()),
        ([], "10.100.0.1", ("10.100.0.1",)),
        ([], "fd00::1", ()),
        ([], None, None),
        (["db.example.org:443"], None, None),
        (["10.20.1.300"], None, None),
    ],
)  # fmt: skip
def test_finds_the_ipv4_addresses_in_what_is_probed(make_context, destinations, peer, found):
    assert ipv4_destinations(make_context("wg0", peer=peer).path, destinations) == found


def test_path_without_interface_is_refused_with_what_to_set(make_context):
    offer = offers()[0]
    with pytest.raises(
        ProbeError, match=r'path .primary. of group .cloud. has no interface.*interface = "…"'
    ):
        offer.open(make_context(None), offer.options_model())


def test_both_kinds_are_defaults_for_paths_with_an_interface_only(make_context):
    for offer in offers():
        assert offer.default_when(make_context("wg0").path)
        assert not offer.default_when(make_context(None).path)

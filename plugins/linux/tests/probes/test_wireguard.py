"""WireGuard's three ways to be read, each against what goes wrong with it; and no secret in any of it."""

import asyncio
import base64
import contextlib
import os
import socket
import stat
import struct
import threading

import pytest

from wgfo.plugin import ProbeError
from wgfo_linux.probes.netlink import Message, attribute
from wgfo_linux.probes.wireguard import (
    Device,
    DeviceReader,
    Peer,
    choose_peer,
    kernel,
    read_device,
    tool,
    uapi,
)
from wgfo_linux.probes.wireguard.device import NotFoundHere, ReadFailed

SECRET = bytes(range(100, 132))
SECRETS = (SECRET.hex(), base64.b64encode(SECRET).decode())
ONE, OTHER = bytes([1]) * 32, bytes([2]) * 32
ONE_KEY, OTHER_KEY = base64.b64encode(ONE).decode(), base64.b64encode(OTHER).decode()


def has_secret(text: object) -> bool:
    return any(secret in f"{text!r} {text}" for secret in SECRETS)


# --- kernel: bytes as linux/wireguard.h lays them out -----------------------------------------------------


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | 0x8000, b"".join(parts))


def allowed(network: str, length: int) -> bytes:
    family = socket.AF_INET6 if ":" in network else socket.AF_INET
    return nested(
        0,
        attribute(1, struct.pack("=H", family)),
        attribute(2, socket.inet_pton(family, network)),
        attribute(3, struct.pack("=B", length)),
    )


def full_peer(
    key: bytes, *ranges: bytes, seconds: int = 0, nanoseconds: int = 0, received=0, sent=0
) -> bytes:
    return nested(
        0,
        attribute(1, key),
        attribute(2, SECRET),
        attribute(4, struct.pack("=HH4s8x", socket.AF_INET, 51820, b"\xc0\0\2\1")),
        attribute(5, struct.pack("=H", 25)),
        attribute(6, struct.pack("=qq", seconds, nanoseconds)),
        attribute(7, struct.pack("=Q", received)),
        attribute(8, struct.pack("=Q", sent)),
        nested(9, *ranges),
        attribute(10, struct.pack("=I", 1)),
    )


def dumped(*parts: bytes) -> Message:
    """One message of a dump: generic netlink's header, then the device's attributes."""
    return Message(30, 2, memoryview(struct.pack("=BBxx", 0, 1) + b"".join(parts)))


def whole_device(*peers: bytes) -> Message:
    return dumped(
        attribute(1, struct.pack("=I", 7)),
        attribute(2, b"wg0\0"),
        attribute(3, SECRET),
        attribute(4, ONE),
        attribute(6, struct.pack("=H", 51820)),
        attribute(7, struct.pack("=I", 0)),
        nested(8, *peers),
    )


class TestKernelAnswers:
    def test_peer_has_its_handshake_counters_and_ranges(self):
        peer = full_peer(ONE, allowed("10.100.0.1", 32), allowed("fd00::", 64), seconds=5, nanoseconds=7,
                         received=2**40, sent=9)  # fmt: skip
        assert kernel.parse_device("wg0", [whole_device(peer)]) == Device(
            "wg0", (Peer(ONE_KEY, ("10.100.0.1/32", "fd00::/64"), 5_000_000_007, 2**40, 9),)
        )

    def test_peer_never_seen_has_stamp_zero(self):
        (peer,) = kernel.parse_device("wg0", [whole_device(full_peer(ONE))]).peers
        assert peer.stamp == 0

    def test_interface_without_peers_has_none(self):
        assert kernel.parse_device("wg0", [whole_device()]).peers == ()

    def test_peers_come_over_several_messages(self):
        following = dumped(attribute(2, b"wg0\0"), nested(8, full_peer(OTHER)))
        device = kernel.parse_device("wg0", [whole_device(full_peer(ONE)), following])
        assert [peer.public_key for peer in device.peers] == [ONE_KEY, OTHER_KEY]

    def test_peer_with_many_ranges_is_continued_in_the_next_messages(self):
        first = whole_device(full_peer(ONE, allowed("10.1.0.0", 16), seconds=5, sent=9))
        rest = [
            dumped(nested(8, nested(0, attribute(1, ONE), nested(9, allowed(f"10.{n}.0.0", 16)))))
            for n in (2, 3)
        ]
        device = kernel.parse_device("wg0", [first, *rest, dumped(nested(8, full_peer(OTHER)))])
        assert device.peers[0] == Peer(
            ONE_KEY, ("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"), 5_000_000_000, 0, 9
        )
        assert [peer.public_key for peer in device.peers] == [ONE_KEY, OTHER_KEY]

    def test_attributes_of_newer_kernels_are_passed_over(self):
        peer = nested(0, attribute(1, ONE), attribute(99, b"new"))
        assert kernel.parse_device("wg0", [dumped(attribute(98, b"new"), nested(8, peer))]).peers == (
            Peer(ONE_KEY),
        )

    @pytest.mark.parametrize(
        ("peer", "text"),
        [
            (nested(0, attribute(2, SECRET)), "without its public key"),
            (nested(0, attribute(1, SECRET[:31])), "without its public key"),
            (nested(0, attribute(1, ONE), attribute(6, SECRET[:8])), "a time of 8 bytes"),
            (nested(0, attribute(1, ONE), nested(9, nested(0, attribute(2, SECRET[:4])))), "cannot be read"),
            (nested(0, attribute(1, ONE), nested(9, allowed("10.0.0.0", 33))), "a mask of 33 bits"),
            (attribute(0, SECRET), "a netlink attribute of"),
        ],
    )
    def test_malformed_answer_is_refused_without_repeating_it(self, peer, text):
        with pytest.raises(ValueError, match=text) as caught:
            kernel.parse_device("wg0", [whole_device(peer)])
        assert not has_secret(caught.value)

    def test_no_secret_outlives_the_parser(self):
        assert not has_secret(kernel.parse_device("wg0", [whole_device(full_peer(ONE))]))


class TestKernelRefusals:
    @pytest.fixture
    def answering(self, monkeypatch):
        def install(error: Exception) -> None:
            async def fail(*_request: object) -> list[Message]:
                raise error

            monkeypatch.setattr(kernel, "get", fail)

        return install

    async def test_missing_right_is_named(self, answering):
        answering(PermissionError(1, "Operation not permitted"))
        with pytest.raises(ReadFailed, match="CAP_NET_ADMIN"):
            await kernel.read("wg0")

    @pytest.mark.parametrize("code", [2, 19, 95])
    async def test_kernel_without_wireguard_leaves_it_to_the_others(self, answering, code):
        answering(OSError(code, "no"))
        with pytest.raises(NotFoundHere):
            await kernel.read("wg0")

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (TimeoutError(), "no answer within a second"),
            (OSError(105, "No buffer space available"), "netlink failed: No buffer space"),
            (ValueError("odd"), "malformed: odd"),
        ],
    )
    async def test_other_failures_say_what_happened(self, answering, error, text):
        answering(error)
        with pytest.raises(ReadFailed, match=text):
            await kernel.read("wg0")

    async def test_real_kernel_does_not_take_loopback_for_wireguard(self):
        with pytest.raises(NotFoundHere):
            await kernel.read("lo")

    async def test_dump_is_asked_for_by_name_in_the_family_that_the_kernel_named(self, monkeypatch):
        asked = []

        async def get(_protocol: int, _kind: int, _body: bytes) -> list[Message]:
            return [dumped(attribute(1, struct.pack("=H", 33)), attribute(2, b"wireguard\0"))]

        async def dump(_protocol: int, kind: int, body: bytes) -> list[Message]:
            asked.append((kind, body))
            return [whole_device(full_peer(ONE))]

        monkeypatch.setattr(kernel, "get", get)
        monkeypatch.setattr(kernel, "dump", dump)
        assert (await kernel.read("wg0")).peers == (Peer(ONE_KEY),)
        assert asked == [(33, struct.pack("=BBxx", 0, 1) + attribute(2, b"wg0\0"))]


# --- userspace: the control socket ------------------------------------------------------------------------

GOOD = (
    f"private_key={SECRET.hex()}\nlisten_port=51820\n"
    f"public_key={ONE.hex()}\npreshared_key={SECRET.hex()}\nprotocol_version=1\nendpoint=192.0.2.1:51820\n"
    "last_handshake_time_sec=5\nlast_handshake_time_nsec=7\ntx_bytes=9\nrx_bytes=11\n"
    "persistent_keepalive_interval=0\nallowed_ip=10.100.0.1/32\nallowed_ip=fd00::/64\n"
    f"public_key={OTHER.hex()}\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\n"
    "errno=0\n\n"
).encode()
AS_READ = (
    Peer(ONE_KEY, ("10.100.0.1/32", "fd00::/64"), 5_000_000_007, 11, 9),
    Peer(OTHER_KEY),
)


class TestUserspaceAnswers:
    def test_peers_have_their_handshakes_counters_and_ranges(self):
        device = uapi.parse_device("wg0", GOOD)
        assert device.peers == AS_READ
        assert not has_secret(device)

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            (b"", "empty"),
            (GOOD[:-1], "cut off"),
            (GOOD[:100], "cut off"),
            (GOOD.replace(b"errno=0\n", b""), "does not end with errno"),
            (GOOD.replace(b"errno=0", b"errno=13"), "errno=13"),
            (SECRET.hex().encode() + b"\n\n", "line 1 is not key=value"),
            (b"public_key=" + SECRET + b"\nerrno=0\n\n", "line 1 has no key of 32 bytes"),
            (b"\xff" * 100 + b"\n\n", "line 1 is not key=value"),
            (GOOD.replace(b"rx_bytes=11", b"rx_bytes=" + SECRET.hex().encode()), "line 10 has no number"),
            (GOOD.replace(b"10.100.0.1/32", SECRET.hex().encode()), "line 12 has no address range"),
            (GOOD.replace(b"10.100.0.1/32", b"10.100.0.1/33"), "line 12 has no address range"),
            (GOOD.replace(b"10.100.0.1/32", b"10.100.0.1/"), "line 12 has no address range"),
        ],
    )
    def test_malformed_answer_is_refused_without_repeating_it(self, answer, text):
        with pytest.raises(ValueError, match=text) as caught:
            uapi.parse_device("wg0", answer)
        assert not has_secret(caught.value)


class TestUserspaceSockets:
    @pytest.fixture
    def serve(self, tmp_path, monkeypatch):
        """Serve this on the control socket of the interface lo."""
        monkeypatch.setattr(uapi, "DIRECTORIES", (tmp_path / "absent", tmp_path))
        monkeypatch.setattr(uapi, "TIMEOUT_S", 0.2)
        asked: list[bytes] = []

        @contextlib.asynccontextmanager
        async def serving(answer: bytes, *, hang: bool = False, times: int = 1):
            def handle() -> None:
                with contextlib.suppress(OSError), listener.accept()[0] as connection:
                    connection.settimeout(5.0)
                    asked.append(connection.recv(1000))
                    for _ in range(times):
                        connection.sendall(answer)
                    if hang:
                        connection.recv(1)  # until the other side has had enough

            with socket.socket(socket.AF_UNIX) as listener:
                listener.settimeout(5.0)
                listener.bind(str(tmp_path / "lo.sock"))
                listener.listen()
                thread = threading.Thread(target=handle)
                thread.start()
                try:
                    yield asked
                finally:
                    await asyncio.to_thread(thread.join)

        return serving

    async def test_answer_is_asked_for_and_read(self, serve):
        async with serve(GOOD, hang=True) as asked:
            assert (await uapi.read("lo")).peers == AS_READ
        assert asked == [b"get=1\n\n"]

    @pytest.mark.parametrize(
        ("answer", "hang", "text"),
        [
            (b"", True, "gave no complete answer within a second"),
            (GOOD[:50], True, "gave no complete answer within a second"),
            (b"", False, "it is empty"),
            (GOOD[:50], False, "it is cut off"),
            (b"HTTP/1.1 400 Bad Request\r\n\n\n", False, "not WireGuard's protocol"),
        ],
    )
    async def test_broken_listener_is_an_error_in_bounded_time(self, serve, answer, hang, text):
        async with serve(answer, hang=hang), asyncio.timeout(2.0):
            with pytest.raises(ReadFailed, match=text) as caught:
                await uapi.read("lo")
        assert not has_secret(caught.value)

    async def test_endless_answer_is_cut_off(self, serve, monkeypatch):
        monkeypatch.setattr(uapi, "MAX_ANSWER_BYTES", 200_000)
        monkeypatch.setattr(uapi, "TIMEOUT_S", 5.0)
        async with serve(b"a=b\n" * 1000, times=10_000):
            with pytest.raises(ReadFailed, match="more than 200000 bytes"):
                await uapi.read("lo")

    async def test_socket_that_nobody_serves_any_more_is_an_error(self, tmp_path, monkeypatch):
        monkeypatch.setattr(uapi, "DIRECTORIES", (tmp_path,))
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(str(tmp_path / "lo.sock"))
        with pytest.raises(ReadFailed, match="cannot be used: Connection refused"):
            await uapi.read("lo")

    async def test_socket_of_another_user_names_the_right_that_is_missing(self, monkeypatch):
        async def refuse(_path: object) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(uapi, "_ask", refuse)
        with pytest.raises(ReadFailed, match="may not be opened: run as root or as its owner"):
            await uapi.read("lo")

    async def test_no_socket_leaves_it_to_the_others(self, tmp_path, monkeypatch):
        monkeypatch.setattr(uapi, "DIRECTORIES", (tmp_path,))
        with pytest.raises(NotFoundHere):
            await uapi.read("lo")


# --- the command ------------------------------------------------------------------------------------------

HEAD = f"{SECRETS[1]}\t{ONE_KEY}\t51820\toff\n"


def row(*, key=ONE_KEY, ranges="10.100.0.1/32,fd00::/64", seen="5", received="11", sent="9") -> str:
    return f"{key}\t{SECRETS[1]}\t192.0.2.1:51820\t{ranges}\t{seen}\t{received}\t{sent}\toff\n"


class TestCommandOutput:
    @pytest.mark.parametrize(
        ("output", "peers"),
        [
            (HEAD, ()),
            (HEAD + row(), (Peer(ONE_KEY, ("10.100.0.1/32", "fd00::/64"), 5_000_000_000, 11, 9),)),
            (HEAD + row(ranges="(none)", seen="0"), (Peer(ONE_KEY, (), 0, 11, 9),)),
            (HEAD + row() + row(key=OTHER_KEY), None),
        ],
    )
    def test_table_is_read(self, output, peers):
        device = tool.parse_device("wg0", output)
        assert peers is None or device.peers == peers
        assert len(device.peers) == output.count("\n") - 1
        assert not has_secret(device)

    @pytest.mark.parametrize(
        ("output", "text"),
        [
            ("", "nothing"),
            (HEAD + SECRETS[1], "line 2 has 1 columns and not 8"),
            (HEAD + row(seen=SECRETS[1]), "line 2 has numbers that are none"),
            (HEAD + row(ranges=SECRETS[1]), "line 2 has numbers that are none"),
            (HEAD + row(ranges="10.0.0.0/33"), "line 2 has numbers that are none"),
        ],
    )
    def test_something_else_is_refused_without_repeating_it(self, output, text):
        with pytest.raises(ValueError, match=text) as caught:
            tool.parse_device("wg0", output)
        assert not has_secret(caught.value)


class TestCommand:
    @pytest.fixture
    def install(self, tmp_path, monkeypatch):
        def write(script: str) -> None:
            command = tmp_path / "wg"
            command.write_text(f"#!/bin/sh\n{script}\n")
            command.chmod(command.stat().st_mode | stat.S_IXUSR)
            monkeypatch.setattr(tool, "COMMAND", str(command))

        return write

    async def test_is_asked_for_the_dump_of_the_interface(self, install):
        install(f'[ "$*" = "show wg0 dump" ] && printf "%s" "{HEAD}{row()}"')
        assert (await tool.read("wg0")).peers[0].public_key == ONE_KEY

    async def test_failure_repeats_its_complaint_and_nothing_of_its_output(self, install):
        install(f'echo "{SECRETS[1]}"; echo "Unable to access interface" >&2; exit 1')
        with pytest.raises(ReadFailed, match="failed: Unable to access interface") as caught:
            await tool.read("wg0")
        assert not has_secret(caught.value)

    async def test_hanging_is_an_error_in_bounded_time_and_ends_the_process(
        self, install, monkeypatch, tmp_path
    ):
        monkeypatch.setattr(tool, "TIMEOUT_S", 0.2)
        install(f"echo $$ > {tmp_path}/pid; exec sleep 60")
        async with asyncio.timeout(2.0):
            with pytest.raises(ReadFailed, match="no answer within a second"):
                await tool.read("wg0")
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    async def test_not_installed_leaves_it_there(self, monkeypatch):
        monkeypatch.setattr(tool, "COMMAND", "/nonexistent/wg")
        with pytest.raises(NotFoundHere):
            await tool.read("wg0")


# --- the order, and the choice of the peer ----------------------------------------------------------------


class TestOrderOfAccess:
    @pytest.fixture
    def ways(self, monkeypatch):
        """Say how each way ends; what was asked is in the list."""
        asked: list[str] = []

        def install(**ends: Device | Exception) -> list[str]:
            for name, module in (("kernel", kernel), ("uapi", uapi), ("tool", tool)):

                async def read(_name: str, way: str = name) -> Device:
                    asked.append(way)
                    end = ends.get(way, NotFoundHere())
                    if isinstance(end, Exception):
                        raise end
                    return end

                monkeypatch.setattr(module, "read", read)
            return asked

        return install

    async def test_kernel_is_asked_first_and_alone_if_it_knows(self, ways):
        asked = ways(kernel=Device("lo", ()))
        await read_device("lo")
        assert asked == ["kernel"]

    async def test_userspace_is_asked_where_the_kernel_does_not_know(self, ways):
        asked = ways(uapi=Device("lo", ()))
        await read_device("lo")
        assert asked == ["kernel", "uapi"]

    async def test_command_is_run_where_the_others_failed(self, ways):
        asked = ways(kernel=ReadFailed("no"), tool=Device("lo", ()))
        await read_device("lo")
        assert asked == ["kernel", "uapi", "tool"]

    async def test_other_interface_is_told_apart_without_running_a_command(self, ways):
        asked = ways()
        with pytest.raises(ProbeError, match=r"lo is no WireGuard interface: "):
            await read_device("lo")
        assert asked == ["kernel", "uapi"]

    async def test_every_way_that_failed_is_told(self, ways):
        ways(kernel=ReadFailed("needs CAP_NET_ADMIN"), uapi=ReadFailed("refused"), tool=ReadFailed("broken"))
        with pytest.raises(ProbeError, match=r"lo cannot be read: needs CAP_NET_ADMIN; refused; broken"):
            await read_device("lo")

    @pytest.mark.parametrize("name", ["nowhere0", "../etc/passwd", "a" * 40])
    async def test_interface_that_does_not_exist_is_asked_nowhere(self, ways, name):
        asked = ways(uapi=Device(name, ()))
        with pytest.raises(ProbeError, match="there is no interface"):
            await read_device(name)
        assert asked == []


class TestChoiceOfThePeer:
    WIDE = Peer("wide", ("0.0.0.0/0", "10.0.0.0/8"))
    NARROW = Peer("narrow", ("192.168.0.0/16", "10.100.0.0/24", "0.0.0.0/1"))
    SIX = Peer("six", ("fd00::/64",))

    @pytest.fixture
    def choose(self, make_context):
        def choosing(*peers: Peer, **path) -> str:
            return choose_peer(Device("wg0", peers), make_context("wg0", **path).path).public_key

        return choosing

    @pytest.mark.parametrize(
        ("anchor", "chosen"),
        [("10.100.0.1", "narrow"), ("10.100.1.1", "wide"), ("203.0.113.9", "wide"), ("fd00::1", "six")],
    )
    def test_longest_range_that_covers_the_anchor_wins(self, choose, anchor, chosen):
        assert choose(self.WIDE, self.NARROW, self.SIX, peer=anchor) == chosen

    def test_public_key_overrides(self, choose):
        assert choose(self.WIDE, self.NARROW, peer="10.100.0.1", public_key="wide") == "wide"

    def test_unknown_public_key_is_an_error_that_names_the_peers(self, choose):
        with pytest.raises(
            ProbeError, match=r"has no peer gone .*its peers are wide \(allowed-ips 0.0.0.0/0 10.0.0.0/8"
        ):
            choose(self.WIDE, peer="10.100.0.1", public_key="gone")

    def test_no_covering_peer_is_an_error_that_names_the_peers(self, choose):
        with pytest.raises(
            ProbeError, match=r"no peer of wg0 .*cover 203.0.113.1; set public_key.*narrow \(allowed"
        ):
            choose(self.NARROW, self.SIX, peer="203.0.113.1")

    def test_equal_ranges_are_an_error(self, choose):
        with pytest.raises(ProbeError, match=r"2 peers of wg0 with allowed-ips that cover 10\.0\.0\.1"):
            choose(Peer("a", ("10.0.0.0/8",)), Peer("b", ("10.0.0.0/8",)), peer="10.0.0.1")

    def test_no_peers_at_all_are_said_to_be_none(self, choose):
        with pytest.raises(ProbeError, match="wg0 has no peers"):
            choose(peer="10.100.0.1")

    def test_only_peer_needs_no_anchor(self, choose):
        assert choose(self.WIDE) == "wide"

    def test_several_peers_need_an_anchor_or_a_key(self, choose):
        with pytest.raises(ProbeError, match="has 2 peers and the path names none: set peer or public_key"):
            choose(self.WIDE, self.NARROW)

    def test_anchor_that_is_no_address_is_an_error(self, choose):
        with pytest.raises(ProbeError, match="'gateway' is no IP address"):
            choose(self.WIDE, peer="gateway")

    def test_long_lists_are_shortened(self, choose):
        many = [Peer(f"k{n}", tuple(f"10.{n}.{m}.0/24" for m in range(5))) for n in range(9)]
        with pytest.raises(ProbeError, match=r"10.0.2.0/24 and 2 more\).* and 4 more"):
            choose(*many, peer="172.16.0.1")


class TestSharedReads:
    async def test_what_two_ask_for_at_once_is_read_once(self):
        asked = []

        async def read(name: str) -> Device:
            asked.append(name)
            await asyncio.sleep(0)
            return Device(name, ())

        reader = DeviceReader(read)
        assert await asyncio.gather(reader.read("wg0"), reader.read("wg0")) == [Device("wg0", ())] * 2
        await reader.read("wg1")
        assert asked == ["wg0", "wg1"]

    async def test_one_that_stops_waiting_does_not_stop_the_other(self):
        release = asyncio.Event()

        async def read(name: str) -> Device:
            await release.wait()
            return Device(name, ())

        reader = DeviceReader(read)
        one, other = (asyncio.create_task(reader.read("wg0")) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        release.set()
        assert await other == Device("wg0", ())

    async def test_error_reaches_every_one_who_asked(self):
        async def read(_name: str) -> Device:
            raise ProbeError("broken")

        reader = DeviceReader(read)
        for error in await asyncio.gather(reader.read("wg0"), reader.read("wg0"), return_exceptions=True):
            assert isinstance(error, ProbeError)
            assert str(error) == "broken"

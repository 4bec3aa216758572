"""Netlink messages: the walk over them, and the kernel's real answers."""

import errno
import socket
import struct

import pytest

from wgfo_linux.probes import netlink
from wgfo_linux.probes.netlink import Message, attribute, attributes, dump, get, messages, number, text
from wgfo_linux.probes.rtnetlink import RTM_GETLINK, RTM_NEWLINK, parse_link, parse_netconf, read_link
from wgfo_linux.probes.wireguard.kernel import CTRL_ATTR_FAMILY_ID, CTRL_CMD_GETFAMILY, GENL_ID_CTRL

IFINFO = struct.Struct("=BxHiII")


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    data = struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body
    return data + bytes(-len(data) % 4)


class TestMessages:
    def test_all_of_one_datagram_are_found_with_their_padding_passed_over(self):
        found = list(messages(message(1, b"abcde") + message(2, b"")))
        assert [(one.kind, bytes(one.body)) for one in found] == [(1, b"abcde"), (2, b"")]

    @pytest.mark.parametrize("length", [0, 15, 17, 2**31])
    def test_length_outside_the_datagram_is_refused(self, length):
        with pytest.raises(ValueError, match=f"a netlink message of {length} bytes in 16"):
            list(messages(struct.pack("=IHHII", length, 1, 0, 1, 0)))

    def test_body_is_not_shown(self):
        assert "secret" not in repr(Message(1, 0, memoryview(b"secret")))


class TestAttributes:
    def test_type_loses_its_flags_and_value_its_padding(self):
        run = attribute(3 | 0x8000, b"abcde") + attribute(4 | 0x4000, b"")
        assert [(kind, bytes(value)) for kind, value in attributes(memoryview(run))] == [
            (3, b"abcde"),
            (4, b""),
        ]

    @pytest.mark.parametrize("length", [0, 3, 9, 65535])
    def test_length_outside_the_run_is_refused(self, length):
        with pytest.raises(ValueError, match=f"a netlink attribute of {length} bytes in 8"):
            list(attributes(memoryview(struct.pack("=HHI", length, 1, 0))))

    def test_numbers_of_every_width_and_texts_are_decoded(self):
        assert [number(memoryview(struct.pack(f"={form}", 200))) for form in "BHIQ"] == [200] * 4
        assert text(memoryview(b"wg0\0")) == "wg0"


class TestAnswers:
    async def test_kernels_error_is_raised_as_its_own(self):
        with pytest.raises(OSError) as caught:
            await get(socket.NETLINK_ROUTE, RTM_GETLINK, IFINFO.pack(0, 0, 2**31 - 1, 0, 0))
        assert caught.value.errno == errno.ENODEV

    async def test_dump_of_several_messages_is_read_to_its_end(self):
        names = {
            link.name
            for one in await dump(socket.NETLINK_ROUTE, RTM_GETLINK, IFINFO.pack(0, 0, 0, 0, 0))
            if one.kind == RTM_NEWLINK and (link := parse_link(one))
        }
        assert names == {name for _index, name in socket.if_nameindex()}

    async def test_generic_netlink_is_understood(self):
        body = struct.pack("=BBxx", CTRL_CMD_GETFAMILY, 1) + attribute(2, b"nlctrl\0")
        found = {
            kind: number(value)
            for one in await get(16, GENL_ID_CTRL, body)
            for kind, value in attributes(one.body[4:])
            if kind == CTRL_ATTR_FAMILY_ID
        }
        assert found == {CTRL_ATTR_FAMILY_ID: GENL_ID_CTRL}

    async def test_dump_that_changes_all_the_time_is_given_up(self, monkeypatch):
        asked = []

        async def interrupted(*_request: object) -> list[Message]:
            asked.append(1)
            return [Message(1, netlink.NLM_F_DUMP_INTR, memoryview(b""))]

        monkeypatch.setattr(netlink, "_converse", interrupted)
        with pytest.raises(InterruptedError):
            await dump(socket.NETLINK_ROUTE, RTM_GETLINK, b"")
        assert len(asked) == netlink.DUMP_TRIES

    async def test_answer_without_end_is_given_up(self, monkeypatch):
        monkeypatch.setattr(netlink, "MAX_ANSWER_BYTES", 1000)
        with pytest.raises(ValueError, match="more than 1000 bytes"):
            await netlink._answer(_Endless(message(20, bytes(484))), None)

    async def test_silence_ends_after_the_timeout(self, monkeypatch):
        monkeypatch.setattr(netlink, "TIMEOUT_S", 0.01)
        monkeypatch.setattr(netlink, "NLM_F_ACK", 0)
        with pytest.raises(TimeoutError):
            await get(socket.NETLINK_ROUTE, 1, b"")  # NLMSG_NOOP without an acknowledgement: no answer

    async def test_no_interface_has_an_impossible_name(self):
        assert await read_link("a" * 40) is None


class _Endless:
    def __init__(self, data: bytes) -> None:
        self.data = data

    async def sock_recv(self, *_: object) -> bytes:
        return self.data


def test_malformed_link_message_is_refused():
    with pytest.raises(ValueError, match="without its header"):
        parse_link(Message(RTM_NEWLINK, 0, memoryview(b"12345678")))


def test_netconf_of_all_interfaces_has_the_index_minus_one():
    body = (
        struct.pack("=Bxxx", socket.AF_INET) + attribute(1, struct.pack("=i", -1)) + attribute(3, b"\2\0\0\0")
    )
    assert parse_netconf(Message(80, 0, memoryview(body))) == (-1, 2)

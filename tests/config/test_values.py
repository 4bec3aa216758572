"""Each kind of value refuses what cannot work, and says what is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from wgfo.config.load import parse
from wgfo.model import Bind, BindKind

DAEMON = "[daemon]\n{}\n"
PATH = '[[group]]\nname = "g"\n[[group.path]]\nname = "p"\n{}\n'
GROUP = '[[group]]\nname = "g"\n{}\n[[group.path]]\nname = "p"\n'
PROBE = PATH.format("") + '[[group.probe]]\nkind = "icmp"\n{}\n'


@pytest.mark.parametrize(
    ("text", "found", "accepted"),
    [
        (PATH.format('interface = "wg 0"'), "no interface name", "1 to 15 characters"),
        (PATH.format('interface = "a-name-too-long-for-linux"'), "no interface name", "1 to 15 characters"),
        (PATH.format('public_key = "abc"'), "no WireGuard public key", "44 characters"),
        (PATH.format('bind = "mark:0x1ffffffff"'), "no way to bind", '"mark:N"'),
        (PATH.format("bind = 5"), "no way to bind", '"device"'),
        (PATH.format('targets = { peer = "10.0.0.1" }'), "is the name of the anchor", "any other name"),
        (PATH.format('targets = ["10.0.0.1"]'), 'found ["10.0.0.1"]', "a table"),
        (PATH.format("").replace('"p"', '"a/b"'), "'a/b' is no name", "letters, digits"),
        (PROBE.format('interval = "5ms"'), "'5ms' is too short", "10ms or more"),
        (PROBE.format('timeout = "0s"'), "'0s' is too short", "above zero"),
        (PROBE.format("interval = 1"), "1 is no duration", '"800ms"'),
        (GROUP.format("detect = { rise = 2.5 }"), "found 2.5", "a whole number"),
        (GROUP.format('detect = { rise = "3" }'), 'found "3"', "a whole number"),
        (GROUP.format("detect = { loss = { percent = 0 } }"), "found 0", "1 or more"),
        (DAEMON.format('http = "localhost:99999"'), "no listening address", "HOST:PORT"),
        (DAEMON.format("state_dir = 5"), "found 5", "a path as text"),
        (DAEMON.format("journal = { max_size = true }"), "True is no size", "KiB, MiB, GiB"),
        (DAEMON.format('journal = { max_age = "0s" }'), "'0s' is too short", "above zero"),
        ('[[notify]]\non = []\nurl = "http://x/"\n', "the list is empty", "one or more"),
        ('[[notify]]\non = ["switch"]\nurl = "ftp://x/"\n', "no URL", "http://… or https://…"),
        ("group = 5\n", "found 5", "a list"),
        ('daemon = "x"\n', 'found "x"', "a table"),
        ("unheard_of = 1\n", "unknown key", "daemon, group, include, lease, notify, profile, provider, site"),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_what_can(text: str, found: str, accepted: str) -> None:
    (problem,) = parse(text).problems
    assert found in problem.found
    assert accepted in problem.accepted


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("mark:51820", Bind(BindKind.MARK, 51820)),
        ("mark:0x10", Bind(BindKind.MARK, 16)),
        ("address", Bind(BindKind.ADDRESS)),
        ("device", Bind(BindKind.DEVICE)),
    ],
)
def test_the_ways_to_bind(text: str, bind: Bind) -> None:
    assert parse(PATH.format(f'bind = "{text}"')).config.group[0].path[0].bind == bind


@pytest.mark.parametrize(
    ("text", "size"), [('"256MiB"', 256 << 20), ('"10"', 10), ("4096", 4096), ('"1TiB"', 1 << 40)]
)
def test_sizes(text: str, size: Any) -> None:
    assert parse(DAEMON.format(f"journal = {{ max_size = {text} }}")).config.daemon.journal.max_size == size


def test_a_public_key_is_taken_as_wg_prints_it() -> None:
    key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
    assert parse(PATH.format(f'public_key = "{key}"')).config.group[0].path[0].public_key == key

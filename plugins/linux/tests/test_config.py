"""Options, tables and hops: canonical values out, or a sentence that says what is accepted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from plugins.linux.tests.kernel import routed
from pydantic import ValidationError

from wgfo.plugin import NotFound
from wgfo_linux.config import LinuxOptions, parse_hop, parse_table, scope
from wgfo_linux.plugin import LINUX
from wgfo_linux.rights import systemd_drop_in
from wgfo_linux.tables import number_of

PLAIN = LinuxOptions()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("dev wg0", "dev wg0"),
        ("  dev   wg0 ", "dev wg0"),
        ("via 10.0.0.1", "via 10.0.0.1"),
        ("dev eth0 via 10.0.0.1", "via 10.0.0.1 dev eth0"),
        ("via FD00:0::1", "via fd00::1"),
        ("via fe80::1 dev eth0.7", "via fe80::1 dev eth0.7"),
    ],
)
def test_a_hop_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_hop(text, PLAIN) == canonical


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wg0", "accepted: 'dev wg0'"),
        ("", "accepted: 'dev wg0'"),
        ("dev", "accepted: 'dev wg0'"),
        ("dev wg0 dev wg1", "accepted: 'dev wg0'"),
        ("dev wg0 onlink", "accepted: 'dev wg0'"),
        ("blackhole 1", "accepted: 'dev wg0'"),
        ("via 10.0.0.256", "not an IP address"),
        ("via 0.0.0.0", "cannot be a gateway"),
        ("via 127.0.0.1", "cannot be a gateway"),
        ("via ff02::1 dev wg0", "cannot be a gateway"),
        ("via fe80::1", "needs its device"),
        ("dev a-name-of-17-byte", "at most 15 bytes"),
        ("dev a/b", "not an interface name"),
    ],
)
def test_a_bad_hop_says_what_is_accepted(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_hop(text, PLAIN)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("main", "main"),
        ("254", "main"),
        ("253", "default"),
        ("0100", "100"),
        ("branch", "branch"),
        ("1", "1"),
    ],
)
def test_a_table_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_table(text, PLAIN) == canonical


@pytest.mark.parametrize("text", ["0", "local", "255", "4294967296", "", "a b", "-1", "all"])
def test_a_bad_table_says_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="accepted"):
        parse_table(text, PLAIN)


@pytest.mark.parametrize(
    "options",
    [
        {"protocol": 4},
        {"protocol": 186},
        {"protocol": 256},
        {"metric": 0},
        {"metric": 4_000_000_000},
        {"fallback": "blackhole"},
        {"netns": "../etc"},
        {"netns": ""},
        {"probe_table": -1},
        {"table": 7},
    ],
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LinuxOptions(**options)


def test_a_protocol_that_others_use_is_named() -> None:
    with pytest.raises(ValidationError, match=r"'bgp'.*119"):
        LinuxOptions(protocol=186)


def test_without_a_metric_it_is_the_kernels_own_default() -> None:
    assert (PLAIN.metric_for(ipv6=False), PLAIN.metric_for(ipv6=True)) == (0, 1024)
    assert LinuxOptions(metric=50).metric_for(ipv6=True) == 50


@pytest.mark.parametrize(("given", "base"), [(False, 0), (0, 0), (True, 1_190_000), (5000, 5000)])
def test_probe_table_is_off_on_or_a_base(given: object, base: int) -> None:
    assert LinuxOptions(probe_table=given).probe_table == base


def test_the_scope_is_the_namespace() -> None:
    assert (scope(PLAIN), scope(LinuxOptions(netns="branch"))) == ("host", "netns:branch")


def test_table_names_come_from_iproute2s_files(tmp_path: Path) -> None:
    (tmp_path / "rt_tables").write_text("255\tlocal\n100 cloud # the tunnels\n# 5 no\nbad line here\n")
    (tmp_path / "rt_tables.d").mkdir()
    (tmp_path / "rt_tables.d" / "x.conf").write_text("0x1f4 branch\n")
    (tmp_path / "rt_tables.d" / "x.txt").write_text("7 unread\n")
    assert number_of("cloud", [tmp_path]) == 100
    assert number_of("branch", [tmp_path]) == 500
    assert number_of("main", [tmp_path]) == 254
    assert number_of("12", [tmp_path]) == 12
    with pytest.raises(NotFound, match="unread"):
        number_of("unread", [tmp_path])


def test_the_default_protocol_is_nobodys_here() -> None:
    listed = Path("/etc/iproute2/rt_protos").read_text()
    assert "119" not in {line.split()[0] for line in listed.splitlines() if line.split()}


def test_discovery_imports_no_netlink_library() -> None:
    code = "import sys, wgfo_linux.plugin as p; p.LINUX; assert not any('pyroute2' in m for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_permissions_name_only_what_is_needed() -> None:
    assert LINUX.permissions is not None
    text = LINUX.permissions([routed("10.20.0.0/16")], PLAIN)
    assert "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW\n" in text
    assert "CAP_SYS_ADMIN" in systemd_drop_in([], LinuxOptions(netns="branch"))


def test_the_documented_drop_in_is_the_one_that_is_written() -> None:
    text = (Path(__file__).parents[1] / "permissions.md").read_text()
    shown = text.partition("```ini\n")[2].partition("```")[0]
    written = systemd_drop_in([routed("10.20.0.0/16")], PLAIN)

    def settings(of: str) -> list[str]:
        return [line for line in of.splitlines() if not line.startswith("#")]

    assert settings(shown) == settings(written)

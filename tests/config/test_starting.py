"""The starting file: from running tunnels, or a template; valid once it is filled in."""

from __future__ import annotations

import tomllib

from tests.config import fakes
from wgfo.cli.tunnels import read_allowed_ips
from wgfo.config.load import parse
from wgfo.config.resolve import resolve
from wgfo.config.starting import Tunnel, starting_file

ALLOWED = (
    "wg-b\tYWJj=\t10.200.0.1/32 10.20.0.0/16 10.200.0.0/24\n"
    "wg-a\tZGVm=\t10.100.0.1/32 10.20.0.0/16\n"
    "wg-a\tZ2hp=\t(none)\n"
)


def test_running_tunnels_become_paths_that_lead_to_what_they_share() -> None:
    text = starting_file(read_allowed_ips(ALLOWED))
    setup = resolve(parse(text), fakes.registry(), environ={})
    (group,) = setup.groups
    assert [(path.name, path.interface, path.peer) for path in group.paths] == [
        ("primary", "wg-a", "10.100.0.1"),
        ("secondary", "wg-b", "10.200.0.1"),
    ]
    assert list(group.sets[0].prefixes) == ["10.20.0.0/16"]


def test_a_network_that_holds_a_far_gateway_is_not_managed() -> None:
    tunnels = [Tunnel("a", ("10.0.0.1/32", "10.0.0.0/8")), Tunnel("b", ("10.1.0.1/32", "10.0.0.0/8"))]
    assert tomllib.loads(starting_file(tunnels))["group"][0]["route"][0]["prefixes"] == []


def test_what_cannot_be_found_out_says_fill_in() -> None:
    text = starting_file([Tunnel("wg0", ("0.0.0.0/0",)), Tunnel("wg1", ())])
    assert text.count("FILL IN") == 4
    tomllib.loads(text)


def test_without_tunnels_it_is_a_commented_template_that_works_when_the_marks_are_removed() -> None:
    text = starting_file(())
    assert "group" not in tomllib.loads(text)
    opened = "\n".join(
        line.removeprefix("# ")
        if line.startswith(("# [[", "# name", "# inter", "# peer", "# kind", "# pro"))
        else line
        for line in text.splitlines()
    )
    opened = (
        opened.replace("# tables", "tables")
        .replace("# prefixes", "prefixes")
        .replace("# next_hop", "next_hop")
    )
    assert resolve(parse(opened), fakes.registry(), environ={}).groups[0].name == "cloud"

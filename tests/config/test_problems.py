"""Each mistake is one line: where, what was found, what is accepted, what was probably meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.config import fakes
from wgfo.config.load import parse
from wgfo.config.problems import ConfigProblems
from wgfo.config.resolve import resolve
from wgfo.plugin.manager import registry_of

EXAMPLES = Path(__file__).parent / "examples"
GOOD = (EXAMPLES / "onprem.toml").read_text()
SITES = (EXAMPLES / "two-sites.toml").read_text()


def problems(text: str) -> list[str]:
    """Return the problems without the file's name."""
    try:
        resolve(parse(text), fakes.registry(), site=None, hostname="core1", environ={})
    except ConfigProblems as error:
        return [str(problem).removeprefix("wgfo.toml:") for problem in error.problems]
    return []


def replaced(text: str, words: str, instead: str) -> tuple[str, int]:
    """Replace words once; return the text and the last line of what now stands there."""
    assert words in text
    before, _, _ = text.partition(words)
    return text.replace(words, instead, 1), (before + instead).count("\n") + 1


# What to replace in the example, by what, and the only problem that it makes, on that line.
IN_GOOD = [
    (
        'interface = "wg0" ',
        'interfce = "wg0" ',
        (
            '[[group]] "cloud" → path "primary" → interfce: unknown key; did you mean "interface"?; '
            "accepted: at, bind, interface, name, peer, public_key, targets"
        ),
    ),
    (
        'wait_to_restore = "5m"',
        'wait_to_restore = "5 min"',
        (
            "[[group]] \"cloud\" → wait_to_restore: '5 min' is no duration; accepted: a whole number and a unit: "
            'us, ms, s, m, h or d, such as "800ms", "1s" or "5m"'
        ),
    ),
    (
        'wait_to_restore = "5m"',
        "revertive = 1",
        '[[group]] "cloud" → revertive: found 1; accepted: true or false',
    ),
    (
        'wait_to_restore = "5m"',
        'drift = "fix"',
        '[[group]] "cloud" → drift: found "fix"; accepted: "repair" or "report"',
    ),
    (
        'wait_to_restore = "5m"',
        'profile = "standard"',
        '[[group]] "cloud" → profile: no profile is named "standard"; accepted: none',
    ),
    (
        'wait_to_restore = "5m"',
        "detect = { fall = 1 }",
        '[[group]] "cloud" → detect → fall: found 1; accepted: 2 or more',
    ),
    (
        'wait_to_restore = "5m"',
        "detect = { loss = { percent = 120 } }",
        '[[group]] "cloud" → detect → loss → percent: found 120; accepted: 100 or less',
    ),
    (
        'wait_to_restore = "5m"',
        'detect = { loss = { confirm = "0s" } }',
        (
            '[[group]] "cloud" → detect → loss: loss.confirm "0s" is below the interval of the probes, "1s": no '
            'answer of another path would be new enough to move to it; accepted: at least "1s"'
        ),
    ),
    (
        'wait_to_restore = "5m"',
        "damping = { suppress = 500 }",
        '[[group]] "cloud" → damping → reuse: reuse 750 is not below suppress 500; accepted: less than 500',
    ),
    (
        'peer = "10.100.0.1" ',
        'peer = "gateway" ',
        (
            '[[group]] "cloud" → path "primary" → peer: \'gateway\' is no address; accepted: a literal IPv4 or '
            "IPv6 address"
        ),
    ),
    (
        'peer = "10.100.0.1" ',
        'peer = "10.20.0.1" ',
        (
            '[[group]] "cloud" → path "primary" → peer: 10.20.0.1 is inside 10.20.0.0/16, which group "cloud" '
            "manages; accepted: a tunnel address outside every managed prefix"
        ),
    ),
    (
        'peer = "10.200.0.1"',
        'peer = "10.200.0.1"\nbind = "mark:0"',
        (
            '[[group]] "cloud" → path "secondary" → bind: \'mark:0\' is no way to bind; accepted: "device", '
            '"address" or "mark:N" (N from 1)'
        ),
    ),
    (
        'kind = "icmp"',
        'kind = "icpm"',
        (
            "[[group]] \"cloud\" → probe 1 (icpm) → kind: no installed plugin offers probe kind 'icpm'; offered: "
            'alerts, handshake, http, icmp, interface, tcp; did you mean "icmp"?'
        ),
    ),
    (
        'kind = "icmp"',
        'kind = "stamp"',
        (
            "[[group]] \"cloud\" → probe 1 (stamp) → kind: no installed plugin offers probe kind 'stamp'; offered: "
            "alerts, handshake, http, icmp, interface, tcp"
        ),
    ),
    (
        'interval = "1s"',
        'timeout = "1s"',
        (
            '[[group]] "cloud" → probe 1 (icmp) → timeout: timeout "1s" is not below interval "1s"; accepted: '
            'less than "1s"'
        ),
    ),
    (
        'interval = "1s"',
        "siz = 1400",
        (
            '[[group]] "cloud" → probe 1 (icmp) → siz: unknown key; did you mean "size"?; accepted: act, class, '
            "fall, interval, kind, sites, size, targets, timeout"
        ),
    ),
    (
        'interval = "1s"',
        'sites = ["vpc"]',
        '[[group]] "cloud" → probe 1 (icmp) → sites → item 1: no site is named "vpc"; accepted: none',
    ),
    (
        "10.20.2.10",
        "db",
        (
            "[[group]] \"cloud\" → probe 1 (icmp) → targets → item 2: target 'db' has no address through path "
            "'primary'"
        ),
    ),
    (
        "10.20.2.10",
        "10.20.1.10",
        (
            '[[group]] "cloud" → probe 1 (icmp) → targets → item 2: target "10.20.1.10" stands twice; accepted: '
            "each target once"
        ),
    ),
    (
        "10.20.0.0/16",
        "10.20.0.1/16",
        (
            "[[group]] \"cloud\" → route 1 (linux) → prefixes → item 1: '10.20.0.1/16' has host bits set; the "
            "network is 10.20.0.0/16"
        ),
    ),
    (
        'prefixes = ["10.20.0.0/16"]',
        'prefixes_file = "/nonexistent/prefixes"',
        (
            '[[group]] "cloud" → route 1 (linux) → prefixes_file: /nonexistent/prefixes cannot be read: No such '
            "file or directory; accepted: a text file with one prefix a line"
        ),
    ),
    (
        '"dev wg0"',
        '"wg0"',
        (
            "[[group]] \"cloud\" → route 1 (linux) → next_hop → primary: 'wg0' is no next hop; accepted: 'dev wg0' "
            "or 'via 10.0.0.1'"
        ),
    ),
    (
        '"dev wg1"',
        '"dev wg0"',
        (
            '[[group]] "cloud" → route 1 (linux) → next_hop → secondary: the same next hop as path "primary": dev '
            "wg0; accepted: a next hop of its own for each path"
        ),
    ),
    (
        'secondary = "dev',
        'secundary = "dev',
        (
            '[[group]] "cloud" → route 1 (linux) → next_hop → secundary: no path of this group is named '
            '"secundary"; did you mean "secondary"?; accepted: primary, secondary'
        ),
    ),
    (
        ', secondary = "dev wg1"',
        "",
        '[[group]] "cloud" → route 1 (linux) → next_hop: no next hop for path "secondary"; add secondary = "…"',
    ),
    (
        'tables   = ["main"]',
        'tables = ["main", "254"]',
        (
            '[[group]] "cloud" → route 1 (linux) → tables → item 2: table "254" stands twice; accepted: each table '
            "once"
        ),
    ),
    (
        'tables   = ["main"]',
        'tables = ["main"]\nnetns = "x"',
        (
            '[[group]] "cloud" → route 1 (linux) → netns: stands on [provider.linux], not on a route; accepted: '
            "adopt, metric, next_hop, prefixes, prefixes_file, provider, tables"
        ),
    ),
    (
        'tables   = ["main"]',
        'tables = ["main"]\nmetrik = 5',
        (
            '[[group]] "cloud" → route 1 (linux) → metrik: unknown key; did you mean "metric"?; accepted: adopt, '
            "metric, next_hop, prefixes, prefixes_file, provider, tables"
        ),
    ),
    (
        'provider = "linux"',
        'provider = "openstack"',
        (
            '[[group]] "cloud" → route 1 (openstack) → provider: no installed plugin offers route provider kind '
            "'openstack'; offered: aws, linux; install it: pip install 'wgfo[openstack]'"
        ),
    ),
    (
        'control   = "/run/wgfo/control.sock"',
        'operators = ""',
        '[daemon] → operators: found ""; accepted: text that is not empty',
    ),
    (
        'http      = "127.0.0.1:9785"',
        'http = "9785"',
        '[daemon] → http: \'9785\' is no listening address; accepted: "HOST:PORT" such as "127.0.0.1:9785"',
    ),
    (
        'http      = "127.0.0.1:9785"',
        'journal = { max_size = "5 apples" }',
        (
            "[daemon] → journal → max_size: '5 apples' is no size; accepted: a whole number of KiB, MiB, GiB "
            'or TiB such as "256MiB"'
        ),
    ),
    (
        'http      = "127.0.0.1:9785"',
        'tls = { cert = "c", key = "k" }',
        "[daemon] → tls: [daemon.tls] is not served by this version of wgfo yet; remove it",
    ),
]


@pytest.mark.parametrize(("words", "instead", "problem"), IN_GOOD, ids=[row[1][:40] for row in IN_GOOD])
def test_one_mistake_is_one_precise_problem(words: str, instead: str, problem: str) -> None:
    text, line = replaced(GOOD, words, instead)
    assert problems(text) == [f"{line}: {problem}"]


IN_SITES = [
    (
        'sites = ["onprem"]',
        'sites = ["onprm"]',
        (
            '[[group]] "onprem" → probe 3 (icmp) → sites → item 1: no site is named "onprm"; did you mean '
            '"onprem"?; accepted: onprem, vpc'
        ),
    ),
    (
        "[group.path.at.onprem]   ",
        "[group.path.at.onprme]   ",
        (
            '[[group]] "onprem" → path "primary" → at → onprme: no site is named "onprme"; did you mean "onprem"?; '
            "accepted: onprem, vpc"
        ),
    ),
    (
        'providers = ["linux"]',
        'providers = ["linus"]',
        (
            '[site.onprem] → providers → item 1: no provider instance or kind is named "linus"; did you mean '
            '"linux"?; accepted: aws, branch, linux'
        ),
    ),
    (
        'hosts = ["controller1"]',
        'hosts = ["core1"]',
        '[site.vpc] → hosts → item 1: host "core1" is in site "onprem" too; accepted: each host in one site',
    ),
    (
        'region = "eu-central-1"',
        'regio = "eu-central-1"',
        '[provider.aws] → regio: unknown key; did you mean "region"?; accepted: deadline, kind, parallel, region',
    ),
    (
        '[group.path.at.vpc]\npeer = "10.100.0.2"',
        '[group.path.at.vpc]\npeer = "192.168.7.7"',
        (
            '[[group]] "onprem" → path "primary" → at → vpc → peer: 192.168.7.7 is inside 192.168.0.0/16, which '
            'group "onprem" manages; accepted: a tunnel address outside every managed prefix'
        ),
    ),
    (
        'targets = ["http://192.168.10.5/health"]',
        'targets = ["192.168.10.5"]',
        (
            "[[group]] \"onprem\" → service 1 (http) → targets → item 1: '192.168.10.5' is no URL; accepted: "
            "http://…"
        ),
    ),
    (
        'wait_to_restore = "5m"',
        'wait_to_restor = "5m"',
        (
            '[profile.standard] → wait_to_restor: unknown key; did you mean "wait_to_restore"?; accepted: damping, '
            "detect, drift, hold_off, reconcile, revertive, settle, wait_to_restore"
        ),
    ),
]


@pytest.mark.parametrize(("words", "instead", "problem"), IN_SITES, ids=[row[1][:40] for row in IN_SITES])
def test_sites_and_instances_are_as_precise(words: str, instead: str, problem: str) -> None:
    text, line = replaced(SITES, words, instead)
    found = problems(text)
    assert f"{line}: {problem}" in found
    assert len(found) <= 2  # a wrong key may be a missing one as well


def test_the_examples_have_no_problem() -> None:
    assert problems(GOOD) == problems(SITES) == []


def test_what_is_not_served_yet_is_said_in_a_plain_sentence() -> None:
    found = problems((EXAMPLES / "full.toml").read_text())
    assert [line.partition(": ")[2] for line in found] == [
        '[[group]] "onprem" → follow: [group.follow] is not served by this version of wgfo yet; remove it',
        "[lease] → kind: [lease] with a kind other than none is not served by this version of wgfo yet; remove it",
    ]


def test_what_is_not_served_yet_is_validated_all_the_same() -> None:
    text = (EXAMPLES / "full.toml").read_text().replace('lost = "own"', 'lost = "panic"')
    text = text.replace('command = ["/usr/local/bin/page"]', "").replace('"partial"', '"partail"')
    found = problems(text)
    assert any('lost: found "panic"; accepted: "own" or "stay"' in line for line in found)
    assert any('found "partail"' in line for line in found)


def test_two_groups_may_not_manage_one_destination_of_a_table() -> None:
    other = GOOD[GOOD.index("[[group]]") :].replace('name = "cloud"', 'name = "two"')
    (found,) = problems(GOOD + other.replace('"10.20.0.0/16"', '"10.9.0.0/16", "10.20.0.0/16"'))
    assert '10.20.0.0/16 in table "main" is managed by group "cloud" at wgfo.toml:27 already' in found


def test_two_instances_of_one_scope_are_one_table() -> None:
    other = GOOD[GOOD.index("[[group]]") :].replace('name = "cloud"', 'name = "two"')
    text = (
        GOOD
        + other.replace('provider = "linux"', 'provider = "again"')
        + '[provider.again]\nkind = "linux"\n'
    )
    assert "is managed by group" in problems(text)[0]
    assert problems(text + 'netns = "branch"\n') == []


def test_a_group_may_write_one_table_in_two_stanzas_only_with_the_same_hops() -> None:
    route = GOOD[GOOD.index("[[group.route]]") :].replace("10.20.0.0/16", "10.21.0.0/16")
    assert problems(GOOD + route) == []
    (found,) = problems(GOOD + route.replace('"dev wg1"', '"via 10.0.0.1"'))
    assert "with other next hops or options" in found


def test_an_interface_without_a_peer_is_refused_and_a_path_without_both_is_not() -> None:
    assert problems(GOOD.replace('peer = "10.200.0.1"', "")) == [
        (
            '17: [[group]] "cloud" → path "secondary": interface without peer; '
            "add the far gateway's own tunnel address"
        )
    ]
    assert problems(GOOD.replace('peer = "10.200.0.1"', "").replace('interface = "wg1"', "")) == []


def test_flat_keys_beside_at_are_refused() -> None:
    text = SITES.replace('name = "primary"', 'name = "primary"\ninterface = "wg7"', 1)
    assert any("interface beside [group.path.at.…]" in line for line in problems(text))


def test_each_bad_line_of_a_prefixes_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "prefixes.txt"
    file.write_text("10.20.0.0/16  # the VPC\n\n10.30.0.1/16\nnonsense\n")
    found = problems(GOOD.replace('prefixes = ["10.20.0.0/16"]', f'prefixes_file = "{file}"'))
    assert [line.partition(": ")[0] for line in found] == [f"{file}:3", f"{file}:4"]


def test_a_plugin_that_fails_is_told_from_a_mistake() -> None:
    broken = replace(fakes.LINUX, parse_hop=lambda *_: {}[0])
    registry = registry_of(fakes.core(), fakes.plugin("linux", routes=(broken,)))
    with pytest.raises(ConfigProblems) as caught:
        resolve(parse(GOOD), registry, environ={})
    assert "the plugin failed: KeyError" in caught.value.problems[0].found


def test_ten_mistakes_are_ten_problems_with_ten_lines() -> None:
    text = GOOD
    for words, instead in (
        ('http      = "127.0.0.1:9785"', 'htpp = "127.0.0.1:9785"'),
        ('reference = ["192.168.10.1"]', 'reference = ["core"]'),
        ('name = "cloud"\n', 'name = "cloud"\nprofile = "standard"\n'),
        ('wait_to_restore = "5m"', "wait_to_restore = 300"),
        ('interface = "wg0" ', 'interfce = "wg0" '),
        ('peer = "10.200.0.1"', 'peer = "10.20.0.1"'),
        ("10.20.2.10", "db"),
        ('interval = "1s"', 'intervall = "1s"'),
        ('prefixes = ["10.20.0.0/16"]', 'prefixes = ["10.20.0.0/16", "10.30.0.1/16"]'),
        ('secondary = "dev wg1"', 'secundary = "dev wg1"'),
    ):
        assert words in text
        text = text.replace(words, instead, 1)
    found = problems(text)
    assert len(found) == 10, "\n".join(found)
    assert len({line.partition(":")[0] for line in found}) == 10


def test_two_paths_of_one_name_name_each_other() -> None:
    found = problems(GOOD.replace('name = "secondary"', 'name = "primary"'))
    assert found[0] == (
        '18: [[group]] "cloud" → path "primary" → name: a second path is named "primary" (the other is at '
        "wgfo.toml:12); accepted: a name of its own"
    )


def test_a_lost_path_makes_no_second_problem() -> None:
    text = GOOD.replace('name = "secondary"', "name = 5")
    assert problems(text) == ['18: [[group]] "cloud" → path 2 → name: found 5; accepted: text']

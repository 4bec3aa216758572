"""What a configuration means here: sites, providers, paths, probes, routes, numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config import fakes
from wgfo.config.load import parse
from wgfo.config.problems import ConfigProblems
from wgfo.config.resolve import Overrides, Resolved, explain, resolve_daemon
from wgfo.config.setup import GroupSetup, ProbeSetup, Setup
from wgfo.engine.policy import Act, Drift
from wgfo.model import Bind, BindKind, Layer, PathName
from wgfo.plugin import ConfigError
from wgfo.plugin.manager import Registry, registry_of

EXAMPLES = Path(__file__).parent / "examples"
GOOD = (EXAMPLES / "onprem.toml").read_text()
SITES = (EXAMPLES / "two-sites.toml").read_text()
PRIMARY, SECONDARY = PathName("primary"), PathName("secondary")


def explained(text: str, registry: Registry | None = None, **settings: Any) -> Resolved:
    settings = {"hostname": "elsewhere", "environ": {}, **settings}
    return explain(parse(text), registry or fakes.registry(), **settings)


def setup(text: str, registry: Registry | None = None, **settings: Any) -> Setup:
    return explained(text, registry, **settings).setup


def group(text: str, registry: Registry | None = None, **settings: Any) -> GroupSetup:
    return setup(text, registry, **settings).groups[0]


def streams(group: GroupSetup) -> list[ProbeSetup]:
    return [probe for probe in group.probes if probe.stream is not None]


def kinds(group: GroupSetup) -> list[str]:
    return [probe.offer.kind for probe in group.probes]


def without_probe(text: str = GOOD) -> str:
    start, end = text.index("[[group.probe]]"), text.index("[[group.route]]")
    return text[:start] + text[end:]


# --- the example of a bare-metal host ---------------------------------------------------------------------


def test_the_example_of_one_host_probes_targets_and_anchors_through_both_tunnels() -> None:
    (stream,) = streams(group(GOOD))
    assert stream.stream is not None
    assert stream.stream.targets == ("10.20.1.10", "10.20.2.10")
    assert stream.paths == (PRIMARY, SECONDARY)
    assert stream.anchors == {PRIMARY: "10.100.0.1", SECONDARY: "10.200.0.1"}
    assert (stream.interval_us, stream.timeout_us) == (1_000_000, 800_000)


def test_the_example_of_one_host_has_the_layers_of_its_interfaces() -> None:
    found = group(GOOD)
    assert kinds(found) == ["icmp", "handshake", "interface"]
    assert all(path.layers == frozenset(Layer) for path in found.policy.paths)


def test_streams_are_numbered_from_zero_and_sources_follow() -> None:
    found = group(SITES, site="vpc").policy
    assert [stream.index for stream in found.streams] == [0, 1]
    found = group(GOOD).policy
    assert ([stream.index for stream in found.streams], [source.index for source in found.sources]) == (
        [0],
        [1, 2],
    )


def test_the_example_of_one_host_has_one_route_set() -> None:
    found = setup(GOOD)
    (route_set,) = found.groups[0].sets
    assert route_set.id == "linux/main/cloud"
    assert route_set.hops == {PRIMARY: "dev wg0", SECONDARY: "dev wg1"}
    assert list(route_set.prefixes) == ["10.20.0.0/16"]
    assert [provider.name for provider in found.providers] == ["linux"]
    assert found.groups[0].policy.sets[0].settle_us == 5_000_000


def test_the_daemon_section_is_as_written() -> None:
    daemon = setup(GOOD).daemon
    assert daemon.state_dir == Path("/var/lib/wgfo")
    assert daemon.http == "127.0.0.1:9785"
    assert daemon.reference == ("192.168.10.1",)
    assert group(GOOD).policy.has_reference


def test_the_command_line_is_stronger_than_the_file() -> None:
    overrides = Overrides(Path("/tmp/s"), Path("/tmp/c"), "127.0.0.1:1")
    found = explained(GOOD, overrides=overrides)
    daemon = found.setup.daemon
    assert (daemon.state_dir, daemon.control, daemon.http) == (Path("/tmp/s"), Path("/tmp/c"), "127.0.0.1:1")
    assert found.effective.settings["daemon.http"].origin == "command line"


# --- sites ------------------------------------------------------------------------------------------------


def test_the_option_is_stronger_than_the_environment_and_that_than_the_host() -> None:
    environ = {"WGFO_SITE": "vpc"}
    assert setup(SITES, site="onprem", environ=environ, hostname="controller1").site == "onprem"
    assert setup(SITES, environ=environ, hostname="core1").site == "vpc"
    assert setup(SITES, hostname="core1").site == "onprem"


def test_a_full_host_name_matches_by_its_first_label() -> None:
    assert setup(SITES, hostname="controller1.example.net").site == "vpc"


def test_the_selected_provider_tells_the_site_where_only_one_fits() -> None:
    assert setup(SITES, providers=["aws"]).site == "vpc"
    assert setup(SITES, providers=["linux"]).site == "onprem"


def test_no_clue_lists_the_sites() -> None:
    with pytest.raises(ConfigProblems, match=r'host "elsewhere" .* give --site or \$WGFO_SITE: onprem, vpc'):
        setup(SITES)


def test_an_unknown_site_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigProblems, match=r'--site: no site is named "onprm"; did you mean "onprem"'):
        setup(SITES, site="onprm")


def test_a_file_without_sites_needs_none() -> None:
    assert setup(GOOD, environ={"WGFO_SITE": "anything"}).site is None


def test_a_site_overrides_the_daemon_section_key_by_key() -> None:
    text = SITES.replace("[site.onprem] ", '[daemon]\nhttp = "127.0.0.1:1"\nstate_dir = "/s"\n[site.onprem] ')
    daemon = setup(text, site="vpc").daemon
    assert (daemon.http, daemon.state_dir) == ("10.20.0.9:9785", Path("/s"))
    assert daemon.reference == ("10.20.0.1",)
    assert setup(text, site="onprem").daemon.http == "127.0.0.1:1"


def test_each_site_sees_the_paths_in_its_own_way() -> None:
    onprem, vpc = group(SITES, site="onprem").paths[0], group(SITES, site="vpc").paths[0]
    assert (onprem.interface, onprem.peer, onprem.bind) == ("wg0", "10.100.0.1", Bind(BindKind.DEVICE))
    assert (vpc.interface, vpc.peer, vpc.bind) == (None, "10.100.0.2", Bind(BindKind.ADDRESS))


def test_a_name_has_one_identity_and_an_address_through_each_path() -> None:
    small, large = streams(group(SITES, site="vpc"))
    assert small.stream is not None
    assert small.stream.targets == ("db",)
    assert small.addresses == {PRIMARY: ("10.100.10.5",), SECONDARY: ("10.200.10.5",)}
    assert large.stream is not None
    assert (large.stream.probe_class, large.stream.base, large.anchors) == ("large", False, {})


def test_a_stanza_runs_at_its_sites_only() -> None:
    (stream,) = streams(group(SITES, site="onprem"))
    assert stream.stream is not None
    assert stream.stream.targets == ("10.20.1.10",)
    assert not group(SITES, site="onprem").services
    assert group(SITES, site="vpc").services[0].policy.targets == ("http://192.168.10.5/health",)


def test_a_path_that_the_site_cannot_see_is_unknown_and_a_notice() -> None:
    start = SITES.index("[group.path.at.vpc]", SITES.index('name = "secondary"'))
    text = SITES[:start] + SITES[SITES.index("[[group.probe]]") :]
    found = setup(text, site="vpc")
    assert [path.visible for path in found.groups[0].policy.paths] == [True, False]
    assert found.groups[0].probes[0].paths == (PRIMARY,)
    assert any("1 of 2 paths visible" in notice for notice in found.notices)


# --- providers --------------------------------------------------------------------------------------------


def test_a_process_has_the_routes_of_its_providers_only() -> None:
    assert [it.id for it in group(SITES, site="onprem").sets] == ["linux/main/onprem"]
    found = setup(SITES, site="vpc")
    assert [it.table for it in found.groups[0].sets] == ["rtb-0aaa", "rtb-0bbb"]
    assert [provider.name for provider in found.providers] == ["aws"]


def test_a_provider_instance_has_its_limits() -> None:
    (provider,) = setup(SITES, site="vpc").providers
    assert (provider.deadline_us, provider.parallel, provider.scope) == (20_000_000, 4, "account")


def test_a_provider_may_be_selected_by_its_kind() -> None:
    text = GOOD.replace('provider = "linux"', 'provider = "here"') + '[provider.here]\nkind = "linux"\n'
    assert [it.name for it in setup(text, providers=["linux"]).providers] == ["here"]


def test_a_provider_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigProblems, match=r'no provider instance or kind "linus"; did you mean "linux"'):
        setup(GOOD, providers=["linus"])


def test_an_observer_has_no_routes() -> None:
    text = SITES.replace('providers = ["aws"]', "providers = []")
    found = setup(text, site="vpc")
    assert found.providers == ()
    assert found.groups[0].sets == ()


def test_a_kind_neither_selected_nor_installed_is_kept_unread() -> None:
    text = SITES.replace('region = "eu-central-1"', "nonsense = 5").replace("192.168.0.0/16", "pl-1")
    found = setup(text, registry_of(fakes.core(), fakes.linux()), providers=["linux"])
    assert any('kind "aws" is neither selected nor installed' in notice for notice in found.notices)


def test_a_selected_kind_that_is_missing_is_an_error_with_the_pip_command() -> None:
    with pytest.raises(ConfigProblems, match=r"pip install 'wgfo\[aws\]'"):
        setup(SITES, registry_of(fakes.core(), fakes.linux()), providers=["aws"])


def test_a_duplicate_kind_is_an_error_only_for_who_selects_it() -> None:
    twice = registry_of(
        fakes.core(), fakes.linux(), fakes.plugin("a", (fakes.AWS,)), fakes.plugin("b", (fakes.AWS,))
    )
    assert setup(SITES, twice, providers=["linux"]).site == "onprem"
    with pytest.raises(ConfigProblems, match=r"offered by 2 plugins \(a, b\)"):
        setup(SITES, twice, providers=["aws"])


def test_a_route_overrides_the_options_that_its_kind_allows() -> None:
    found = group(GOOD.replace('provider = "linux"', 'provider = "linux"\nmetric = 50'))
    options = found.sets[0].options
    assert isinstance(options, fakes.LinuxOptions)
    assert options.metric == 50


def test_stanzas_of_one_table_with_the_same_hops_are_one_set() -> None:
    more = GOOD[GOOD.index("[[group.route]]") :].replace("10.20.0.0/16", "10.21.0.0/16")
    (route_set,) = group(GOOD + more).sets
    assert list(route_set.prefixes) == ["10.20.0.0/16", "10.21.0.0/16"]


def test_a_prefixes_file_stands_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "prefixes.txt").write_text("# ours\n10.20.0.0/16\n10.21.0.0/16 # more\n\n")
    text = GOOD.replace('prefixes = ["10.20.0.0/16"]', 'prefixes_file = "prefixes.txt"')
    document = parse(text, str(tmp_path / "wgfo.toml"))
    found = explain(document, fakes.registry(), environ={})
    assert list(found.setup.groups[0].sets[0].prefixes) == ["10.20.0.0/16", "10.21.0.0/16"]
    assert found.effective.settings["group.cloud.route.1.prefixes_read"].origin.endswith("/prefixes.txt")


def test_the_default_route_may_be_managed() -> None:
    assert list(group(GOOD.replace("10.20.0.0/16", "0.0.0.0/0")).sets[0].prefixes) == ["0.0.0.0/0"]


# --- probes -----------------------------------------------------------------------------------------------


def test_without_a_data_plane_probe_the_anchor_is_probed() -> None:
    found = group(without_probe())
    (stream,) = streams(found)
    assert stream.stream is not None
    assert (stream.stream.kind, stream.stream.targets, stream.stream.base) == ("icmp", (), True)
    assert stream.anchors == {PRIMARY: "10.100.0.1", SECONDARY: "10.200.0.1"}
    assert all(path.anchor for path in found.policy.paths)


def test_mere_evidence_does_not_replace_the_default_probe() -> None:
    found = group(without_probe() + '[[group.probe]]\nkind = "alerts"\n')
    assert kinds(found) == ["icmp", "alerts", "handshake", "interface"]
    found = group(without_probe() + '[[group.probe]]\nkind = "alerts"\nact = "alone"\n')
    assert "icmp" not in kinds(found)


def test_evidence_corroborates_unless_told_otherwise() -> None:
    found = group(GOOD + '[[group.probe]]\nkind = "alerts"\n')
    assert found.policy.sources[0].act is Act.CORROBORATE
    assert found.policy.streams[0].act is Act.ALONE


def test_an_interface_without_an_offer_is_not_probed_and_a_notice_names_the_package() -> None:
    bare = registry_of(fakes.core(), fakes.plugin("routes", routes=(fakes.LINUX,)))
    found = setup(GOOD, bare)
    assert found.groups[0].policy.paths[0].layers == {Layer.DATAPLANE}
    assert sum("pip install 'wgfo[linux]'" in notice for notice in found.notices) == 2


def test_the_base_class_is_small_or_that_of_the_shortest_interval() -> None:
    tcp = '[[group.probe]]\nkind = "tcp"\ntargets = ["10.20.1.10:443"]\ninterval = "{}"\n'
    url = '[[group.probe]]\nkind = "http"\ntargets = ["http://10.20.1.10/"]\n'
    found = group(GOOD + tcp.format("100ms"))
    assert [(stream.kind, stream.base) for stream in found.policy.streams] == [("icmp", True), ("tcp", False)]
    found = group(without_probe() + tcp.format("2s") + url)
    assert [(stream.kind, stream.base) for stream in found.policy.streams] == [("tcp", False), ("http", True)]
    assert not found.policy.paths[0].anchor


def test_a_kind_that_reaches_no_bare_address_leaves_the_anchor_to_the_next() -> None:
    small = '[[group.probe]]\nkind = "tcp"\nclass = "small"\ntargets = ["10.20.1.10:862"]\n'
    found = group(GOOD.replace("[[group.probe]]", small + "[[group.probe]]", 1))
    assert [(one.kind, one.base, one.anchored) for one in found.policy.streams] == [
        ("tcp", True, False),
        ("icmp", True, True),
    ]
    assert found.policy.paths[0].anchor


@pytest.mark.parametrize(("interval", "timeout_us"), [("1s", 800_000), ("100ms", 80_000), ("5s", 800_000)])
def test_the_timeout_defaults_to_most_of_the_interval(interval: str, timeout_us: int) -> None:
    found = group(GOOD.replace('interval = "1s"', f'interval = "{interval}"'))
    assert found.probes[0].timeout_us == timeout_us


def test_a_stanza_without_targets_probes_the_anchor_if_it_can() -> None:
    found = group(GOOD.replace('targets = ["10.20.1.10", "10.20.2.10"]', ""))
    assert streams(found)[0].anchors
    with pytest.raises(ConfigProblems, match="no targets, and no anchor"):
        group(GOOD + '[[group.probe]]\nkind = "tcp"\n')


def test_a_probe_kind_of_another_site_need_not_be_installed() -> None:
    text = SITES.replace('kind = "icmp"\nclass = "large"', 'kind = "stamp"')
    found = setup(text, site="onprem")
    assert any('probe kind "stamp" kept unread' in notice for notice in found.notices)


# --- settings ---------------------------------------------------------------------------------------------


def test_numbers_come_from_the_default_the_profile_and_the_group() -> None:
    ours = '\nprofile = "standard"\n'
    text = SITES.replace(ours, ours + 'detect.loss.percent = 30\ndrift = "report"\n')
    found = explained(text, site="vpc")
    policy = found.setup.groups[0].policy
    assert (policy.loss.percent, policy.loss.margin) == (30, 10)
    assert policy.drift is Drift.REPORT
    assert policy.latency.median_us == 150_000
    settings = found.effective.settings
    assert settings["group.onprem.detect.loss.percent"].origin.startswith("wgfo.toml:")
    assert settings["group.onprem.detect.loss.margin"].origin.startswith("profile standard (wgfo.toml:")
    assert settings["provider.aws.kind"].origin == "default"


def test_the_defaults_are_those_of_the_policy() -> None:
    policy = group(GOOD).policy
    defaults = type(policy)(policy.name, policy.paths)
    for field in (
        "rise",
        "class_fall",
        "loss",
        "recover",
        "latency",
        "damping",
        "revertive",
        "wait_to_restore_us",
    ):
        assert getattr(policy, field) == getattr(defaults, field), field
    assert (policy.hold_off_us, policy.reconcile_us, policy.drift) == (0, 30_000_000, Drift.REPAIR)


def test_the_digest_follows_the_values_and_not_their_places() -> None:
    digest = setup(GOOD).digest
    assert setup("# a comment\n" + GOOD).digest == digest
    assert setup(GOOD.replace('wait_to_restore = "5m"', 'wait_to_restore = "6m"')).digest != digest


def test_everything_effective_is_plain_data() -> None:
    import json  # noqa: PLC0415 - this test alone

    effective = dict(setup(SITES, site="vpc").effective)
    assert json.loads(json.dumps(effective)) == effective


def test_a_client_reads_the_daemon_section_of_a_file_with_mistakes() -> None:
    document = parse(GOOD.replace("kind", "knd"))
    assert resolve_daemon(document, environ={}).control == Path("/run/wgfo/control.sock")
    with pytest.raises(ConfigError, match="give --site"):
        resolve_daemon(parse(SITES), environ={}, hostname="elsewhere")


def test_no_group_is_a_notice() -> None:
    assert setup("").notices == ("the configuration has no [[group]]: there is nothing to do",)

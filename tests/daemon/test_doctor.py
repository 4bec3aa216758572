"""Every look of the doctor stands alone, changes nothing, and says what to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.daemon.fakes import (
    FakeCloud,
    FakeNet,
    group_setup,
    play,
    push_offer,
    push_setup,
    round_setup,
    route_set,
    whole_setup,
    with_sets,
)

from wgfo.config.load import parse
from wgfo.daemon.doctor import Patient, diagnose, is_well
from wgfo.daemon.doctor_host import host_findings
from wgfo.daemon.doctor_topology import topology_findings
from wgfo.engine.policy import SECOND_US, LossRule
from wgfo.model import Bind, BindKind, Finding, Layer, LayerReport, Outcome, Severity, Verdict
from wgfo.plugin import Denied, hookimpl
from wgfo.plugin.manager import Broken, Registry, registry_of

EMPTY = parse("")


class Examined:
    """A healthy process, spoiled by the test, and what the doctor says of it."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.answer = lambda _sent, _target: Outcome.OK
        self.check = None
        self.spoil_cloud = lambda _cloud: None
        self.spoil = lambda setup: setup
        self.registry = Registry()
        self.extra_clouds = 0

    def run(self):
        play(self._scenario)
        assert all(one.finding.remedy for one in self.found), "every finding says what to do"
        return self

    async def _scenario(self, clock, _spawn):
        net = FakeNet(clock, self.answer)
        self.clouds = [FakeCloud(clock) for _ in range(1 + self.extra_clouds)]
        self.spoil_cloud(self.clouds[0])
        setups = [self._provider(cloud, f"cloud{n}") for n, cloud in enumerate(self.clouds)]
        link = push_setup(push_offer(says(LayerReport(Layer.INTERFACE, Verdict.UP, "up"))))
        group = group_setup("g", round_setup(net.offer()), link, has_reference=True)
        bound = tuple(replace(view, bind=Bind(BindKind.DEVICE)) for view in group.paths)
        group = replace(group, paths=bound)
        sets = [route_set("g", provider=one.name) for one in setups]
        setup = whole_setup(self.tmp_path, setups, with_sets(group, *sets))
        setup = replace(setup, daemon=replace(setup.daemon, reference=("10.8.0.1",), journal_max_size=1))
        offers = SimpleNamespace(wgfo_probe_offers=hookimpl(lambda: [net.offer()]))
        self.registry = replace(registry_of(offers), broken=self.registry.broken)
        setup = self.spoil(setup)
        self.found = await diagnose(Patient(setup, EMPTY, self.registry), clock)

    def _provider(self, cloud, name):
        setup = cloud.setup(name)
        check = self.check

        def opened(_options):
            provider = cloud.provider()
            if check is not None:
                provider.check = check
            return provider

        return replace(setup, offer=replace(setup.offer, open=opened))

    def texts(self, scope):
        return [one.finding.text for one in self.found if one.scope == scope]


def says(report):
    async def script(emit):
        emit(report)
        await asyncio.Event().wait()

    return script


@pytest.fixture
def examined(tmp_path):
    return Examined(tmp_path)


def test_a_healthy_process_has_no_findings(examined):
    examined.run()
    assert examined.found == ()
    assert is_well(examined.found)


def test_providers_are_opened_read_only_and_closed(examined):
    (cloud,) = examined.run().clouds
    assert cloud.log == [("open", True), ("close", None)]


def test_what_a_provider_finds_is_passed_on_and_the_worst_comes_first(examined):
    async def check(_sets, _permit):
        note = Finding(Severity.INFO, "note", "a note", "nothing")
        return [note, Finding(Severity.ERROR, "eni-1", "token=hunter2hunter2 is stopped", "start it")]

    examined.check = check
    worst, note = examined.run().found
    assert (worst.scope, worst.finding.subject, note.finding.subject) == ("provider cloud0", "eni-1", "note")
    assert "hunter2" not in worst.finding.text
    assert not is_well(examined.found)
    assert is_well([note])


def test_a_provider_may_not_write_in_its_preflight(examined):
    async def check(_sets, permit):
        await permit.read()
        await permit.write()

    examined.check = check
    assert "doctor changes nothing" in examined.run().texts("provider cloud0")[0]


def test_a_provider_that_cannot_be_opened_hides_no_other(examined):
    async def deny(_context):
        raise Denied("ec2:DescribeRouteTables is not allowed")

    async def check(_sets, _permit):
        return [Finding(Severity.WARNING, "x", "found", "mend")]

    examined.extra_clouds = 1
    examined.check = check
    examined.spoil_cloud = lambda cloud: setattr(cloud, "before_open", deny)
    examined.run()
    (refused,) = [one for one in examined.found if one.scope == "provider cloud0"]
    assert "ec2:DescribeRouteTables is not allowed" in refused.finding.text
    assert "wgfo emit permissions --provider cloud0" in refused.finding.remedy
    assert examined.texts("provider cloud1") == ["found"]


def test_a_preflight_that_fails_or_hangs_is_a_finding(examined):
    async def check(_sets, _permit):
        await asyncio.Event().wait()

    examined.check = check
    assert "no answer in time" in examined.run().texts("provider cloud0")[0]


def test_a_path_that_is_down_is_named_by_its_lowest_layer(examined):
    examined.answer = lambda sent, _target: Outcome.LOST if sent.path == "secondary" else Outcome.OK
    (found,) = examined.run().found
    assert (found.scope, found.finding.severity) == ("path g/secondary", Severity.ERROR)
    assert "far gateway" in found.finding.remedy


def test_a_reference_that_does_not_answer_is_found(examined):
    examined.answer = lambda sent, _target: Outcome.LOST if sent.path == "reference" else Outcome.OK
    (text,) = examined.run().texts("reference")
    assert "none of 10.8.0.1 answers" in text


@pytest.mark.parametrize(("host", "why"), [("10.20.0.9", "inside 10.20.0.0/16"), ("10.1.0.1", "the peer of")])
def test_a_reference_that_dies_with_a_path_is_found(examined, host, why):
    examined.spoil = lambda setup: replace(setup, daemon=replace(setup.daemon, reference=(host,)))
    assert why in examined.run().texts("configuration")[0]


def test_a_broken_plugin_is_found(examined):
    examined.registry = Registry(broken=(Broken("acme", "wgfo-acme", "import failed: ImportError: x"),))
    assert "import failed" in examined.run().texts("plugins")[0]


def test_what_the_configuration_leaves_unproven_is_found(examined):
    def spoil(setup):
        (group,) = setup.groups
        stream = replace(group.policy.streams[0], targets=())
        policy = replace(group.policy, streams=(stream,), has_reference=False)
        return replace(setup, groups=(replace(group, policy=policy, probes=group.probes[:1], sets=()),))

    examined.spoil = spoil
    told = " ".join(examined.run().texts("group g"))
    for words in ("forwarding is unproven", "isolation cannot be told", "interface wg1", "only watches"):
        assert words in told


def with_policy(examined, **changes):
    def spoil(setup):
        (group,) = setup.groups
        return replace(setup, groups=(replace(group, policy=replace(group.policy, **changes)),))

    examined.spoil = spoil
    return examined.run()


@pytest.mark.parametrize(
    ("window_s", "said"),
    [(4, "one lost probe of 4 in loss.window 4s is 25 %"), (0.5, "loss is never measured")],
)
def test_a_loss_window_with_too_few_probes_is_found(examined, window_s, said):
    with_policy(examined, loss=LossRule(window_us=round(window_s * SECOND_US)))
    (text,) = examined.texts("group g")
    assert said in text


@pytest.mark.parametrize(("what", "value"), [("interface", "wg0"), ("peer", "10.0.0.1")])
def test_paths_that_fail_together_are_found(examined, what, value):
    def spoil(setup):
        (group,) = setup.groups
        return replace(
            setup, groups=(replace(group, paths=tuple(replace(one, **{what: value}) for one in group.paths)),)
        )

    examined.spoil = spoil
    (text,) = examined.run().texts("group g")
    assert f"primary, secondary have the {what} {value} in common" in text


SITES = """
[site.one]
providers = ["aws"]
[site.two]
[site.three]
providers = []
[provider.aws]
region = "r"
[[group]]
name = "cloud"
[[group.path]]
name = "primary"
[group.path.at.one]
peer = "10.100.0.2"
[[group.route]]
provider = "aws"
tables = ["rtb-1"]
prefixes = ["10.20.0.0/16"]
next_hop = { primary = "eni-1" }
"""


def test_sites_that_write_the_same_routes_are_found(tmp_path):
    document = parse(SITES)
    looks = topology_findings(whole_setup(tmp_path, ()), document)
    found = [one.text for _scope, some in looks for one in some]
    assert any("sites one, two write the same routes" in text for text in found)


# --- the host -----------------------------------------------------------------------------------------------


def host_texts(setup):
    clock = SimpleNamespace(monotonic_us=lambda: 0, boottime_us=lambda: 0, wall_ns=lambda: 0)
    found = host_findings(setup, clock)
    assert all(one.remedy for one in found)
    return {one.subject: one.text for one in found}


def with_daemon(tmp_path, **keys):
    setup = whole_setup(tmp_path, ())
    return replace(setup, daemon=replace(setup.daemon, journal_max_size=1, **keys))


def test_directories_that_the_daemon_makes_are_no_finding(tmp_path):
    assert host_texts(with_daemon(tmp_path, textfile=tmp_path / "wgfo.prom")) == {}


def test_places_that_cannot_serve_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    setup = with_daemon(
        tmp_path, state_dir=tmp_path / "file/state", textfile=tmp_path / "none/wgfo.prom", operators="no-such"
    )
    found = host_texts(setup)
    assert found.keys() == {"state_dir", "textfile", "operators"}
    assert found["state_dir"] == f"{tmp_path}/file is no directory"


def test_a_journal_that_does_not_fit_is_found(tmp_path):
    setup = with_daemon(tmp_path)
    setup = replace(setup, daemon=replace(setup.daemon, journal_max_size=1 << 60))
    assert "MiB are free" in host_texts(setup)["state_dir"]


def test_a_token_that_others_may_read_is_found_and_so_is_one_that_is_missing(tmp_path):
    token = tmp_path / "token"
    setup = with_daemon(tmp_path, webhook_token_file=token)
    assert "No such file" in host_texts(setup)["webhook_token_file"]
    token.write_text("x")
    token.chmod(0o644)
    assert "can be read by everyone" in host_texts(setup)["webhook_token_file"]
    token.chmod(0o640)
    assert host_texts(setup) == {}

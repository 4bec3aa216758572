"""A one-shot check hears every probe, within its time, and judges what it heard."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.daemon.fakes import (
    FakeNet,
    group_setup,
    play,
    push_offer,
    push_setup,
    round_setup,
    whole_setup,
)

from wgfo.daemon.oneshot import PATIENCE, ROUNDS, gather
from wgfo.daemon.verdict import all_up, judge
from wgfo.engine.policy import Act, EvidenceSource, StreamPolicy
from wgfo.engine.report import GroupState
from wgfo.model import (
    LARGE,
    HandshakeReport,
    Layer,
    LayerReport,
    Outcome,
    PathState,
    Verdict,
)
from wgfo.plugin import ProbeError

NOW_NS = 1_790_000_000 * 10**9
FRESH = HandshakeReport(NOW_NS - 31 * 10**9, 4096, 8192)
LINK_UP = LayerReport(Layer.INTERFACE, Verdict.UP, "up and running")
LINK_GONE = LayerReport(Layer.INTERFACE, Verdict.DOWN, "wg0 is missing", code="missing")


def says(report):
    async def script(emit):
        if report is not None:
            emit(report)
        await asyncio.Event().wait()

    return script


class Check:
    """What a check of one group finds, in virtual time."""

    def __init__(
        self, answer=None, *, targets=("a", "b"), link=LINK_UP, handshake=FRESH, anchors=True, **group
    ):
        self.answer = answer or (lambda _sent, _target: Outcome.OK)
        self.targets, self.anchors = targets, anchors
        self.link, self.handshake = link, handshake
        self.group = group
        self.extra = []
        self.open_error = lambda _path: None
        self.policy_layers = frozenset(Layer)

    def run(self):
        play(self._scenario)
        return self

    async def _scenario(self, clock, _spawn):
        net = FakeNet(clock, self.answer)
        net.open_error = self.open_error
        probes = [
            round_setup(net.offer(), targets=self.targets, anchors=self.anchors),
            push_setup(push_offer(says(self.link), Layer.INTERFACE), index=1),
            push_setup(push_offer(says(self.handshake), Layer.HANDSHAKE), index=2),
        ]
        if LARGE in self.extra:
            large = round_setup(net.offer("large"), targets=self.targets, anchors=False, index=3)
            stream = StreamPolicy(3, "large", LARGE, 1_000_000, 800_000, tuple(self.targets))
            probes.append(replace(large, stream=stream))
        group = group_setup("cloud", *probes, **self.group)
        paths = tuple(replace(path, layers=self.policy_layers) for path in group.policy.paths)
        group = replace(group, policy=replace(group.policy, paths=paths))
        self.setup = whole_setup(Path("/nonexistent"), (), group)
        begun_us = clock.monotonic_us()
        self.evidence = await gather(self.setup, clock)
        self.took_s = (clock.monotonic_us() - begun_us) / 1e6
        self.net = net
        (self.report,) = judge(self.setup, self.evidence, NOW_NS)

    @property
    def primary(self):
        return self.report.paths[0]

    @property
    def all_up(self):
        return all_up(self.setup, [self.report])


def failing(*paths, targets=("a", "b", "10.0.0.1", "10.1.0.1")):
    """Probes through these paths to these targets are lost."""
    return lambda sent, target: Outcome.LOST if sent.path in paths and target in targets else Outcome.OK


# --- gathering ----------------------------------------------------------------------------------------------


def test_a_healthy_group_is_checked_within_a_second():
    check = Check().run()
    assert check.all_up
    assert check.report.state is GroupState.OK
    assert len(check.net.of("primary")) >= ROUNDS
    assert check.took_s < 1.5


def test_a_dead_group_is_checked_within_a_few_seconds():
    check = Check(failing("primary", "secondary")).run()
    assert not check.all_up
    assert check.took_s < 3


def test_every_probe_that_was_opened_is_closed():
    check = Check().run()
    assert sorted(check.net.opened) == sorted(check.net.closed)


def test_a_probe_that_cannot_be_opened_is_given_up_and_named():
    check = Check()
    check.open_error = lambda path: ProbeError("no such device wg0") if path == "primary" else None
    check.run()
    assert "cloud/primary fake: no such device wg0" in check.evidence.problems[0]
    assert check.primary.state is PathState.UNKNOWN
    assert "no such device wg0" in check.primary.reason
    assert check.took_s < 2 + PATIENCE * 0.3


def test_a_source_that_never_speaks_does_not_hold_the_check_up():
    check = Check(link=None).run()
    assert check.primary.layers[Layer.INTERFACE] is Verdict.UNKNOWN
    assert check.primary.layer_reasons[Layer.INTERFACE] == "the interface probe has not answered"
    assert check.primary.state is PathState.UP
    assert check.took_s < 4


def test_a_round_of_which_nothing_can_be_said_is_repeated():
    first = []

    def answer(sent, _target):
        if not first or sent.at_us == first[0]:
            first[:] = first or [sent.at_us]
            return Outcome.UNKNOWN
        return Outcome.OK

    check = Check(answer).run()
    assert check.all_up
    assert check.primary.known == ROUNDS * 2


# --- judging ------------------------------------------------------------------------------------------------


def test_all_dead_with_a_living_anchor_is_not_forwarding():
    check = Check(failing("primary", targets=("a", "b"))).run()
    assert check.primary.state is PathState.DOWN
    assert "does not forward" in check.primary.reason
    assert check.report.paths[1].state is PathState.UP
    assert check.report.state is GroupState.DEGRADED


def test_all_dead_with_a_dead_anchor_is_down():
    check = Check(failing("primary")).run()
    assert check.primary.state is PathState.DOWN
    assert check.primary.layers[Layer.DATAPLANE] is Verdict.DOWN


def test_targets_that_fail_on_every_living_path_are_their_own_fault():
    check = Check(failing("primary", "secondary", targets=("a", "b"))).run()
    assert check.primary.state is PathState.UNKNOWN
    assert "the remote hosts are down" in check.primary.reason
    assert {one.state.value for one in check.primary.targets if one.name != "peer"} == {"masked"}


def test_one_dead_target_of_two_is_masked_and_the_paths_are_up():
    check = Check(failing("primary", "secondary", targets=("a",))).run()
    assert check.all_up
    assert check.primary.lost == 0


def test_both_paths_dead_is_no_usable_path():
    check = Check(failing("primary", "secondary")).run()
    assert check.report.state is GroupState.NO_USABLE_PATH


def test_one_lost_probe_is_no_loss():
    lost = []

    def answer(sent, target):
        if sent.path == "primary" and target == "a" and not lost:
            lost.append(target)
            return Outcome.LOST
        return Outcome.OK

    assert Check(answer).run().all_up


def test_loss_above_the_limit_degrades():
    def answer(sent, target):
        return Outcome.LOST if sent.path == "primary" and target == "b" else Outcome.OK

    check = Check(answer).run()
    assert check.primary.state is PathState.DEGRADED
    assert "3 of 6 probes lost" in check.primary.reason


def test_large_packets_that_do_not_pass_degrade():
    check = Check()
    check.extra = [LARGE]

    def only_large(sent, _target):
        return Outcome.LOST if sent.path == "primary" and len(sent.targets) == 2 else Outcome.OK

    check.answer = only_large  # the small rounds carry the anchor too: three targets
    check.run()
    assert check.primary.state is PathState.DEGRADED
    assert check.primary.reason == "large packets do not pass, small ones do"
    assert check.primary.classes == {"small": Verdict.UP, "large": Verdict.DOWN}


def test_the_anchor_alone_says_that_forwarding_is_unproven():
    check = Check(targets=()).run()
    assert check.primary.state is PathState.UP
    assert "forwarding is unproven" in check.primary.reason


def test_an_anchor_alone_that_is_dead_is_down():
    check = Check(failing("primary"), targets=()).run()
    assert check.primary.state is PathState.DOWN
    assert check.primary.reason == "the peer does not answer"


def test_a_missing_interface_is_down_whatever_answers():
    check = Check(link=LINK_GONE).run()
    assert check.primary.state is PathState.DOWN
    assert check.primary.reason == "wg0 is missing"
    assert not check.all_up


def test_an_interface_that_discredits_probes_makes_the_path_unknown():
    strict = LayerReport(
        Layer.INTERFACE, Verdict.UNKNOWN, "rp_filter is strict", "rp_filter", discredits=True
    )
    check = Check(link=strict).run()
    assert check.primary.state is PathState.UNKNOWN
    assert check.primary.reason == "rp_filter is strict"


def test_a_layer_without_a_probe_is_not_probed():
    check = Check(link=None, handshake=None)
    check.policy_layers = frozenset({Layer.DATAPLANE})
    check.run()
    assert check.primary.layers[Layer.INTERFACE] is Verdict.NOT_PROBED
    assert check.primary.layers[Layer.HANDSHAKE] is Verdict.NOT_PROBED
    assert check.all_up


def test_a_path_that_this_site_cannot_see_is_unknown_and_not_counted():
    check = Check(failing("secondary")).run()
    group = check.setup.groups[0]
    paths = (group.policy.paths[0], replace(group.policy.paths[1], visible=False))
    setup = replace(check.setup, groups=(replace(group, policy=replace(group.policy, paths=paths)),))
    (report,) = judge(setup, check.evidence, NOW_NS)
    assert report.paths[1].state is PathState.UNKNOWN
    assert all_up(setup, [report])


# --- the handshake ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handshake", "dead", "verdict"),
    [
        (FRESH, False, Verdict.UP),
        (FRESH, True, Verdict.UP),
        (HandshakeReport(0, 0, 148), True, Verdict.DOWN),
        (HandshakeReport(NOW_NS - 181 * 10**9, 1, 1), True, Verdict.DOWN),
        (HandshakeReport(NOW_NS - 181 * 10**9, 1, 1), False, Verdict.UNKNOWN),
        (HandshakeReport(NOW_NS + 10**12, 1, 1), True, Verdict.UNKNOWN),
        (HandshakeReport(NOW_NS + 10**12, 1, 1), False, Verdict.UNKNOWN),
        (HandshakeReport(0, 0, 0, "no peer covers 10.100.0.1"), True, Verdict.UNKNOWN),
    ],
    ids=["fresh", "dead", "never", "expired", "stepped clock", "future and dead", "future", "unreadable"],
)
def test_the_handshake_is_evidence_and_never_proof(handshake, dead, verdict):
    check = Check(failing("primary", "secondary") if dead else None, handshake=handshake).run()
    assert check.primary.layers[Layer.HANDSHAKE] is verdict
    assert check.primary.state is (PathState.DOWN if dead else PathState.UP)


def test_the_age_and_the_counters_of_the_peer_are_shown():
    check = Check().run()
    assert check.primary.handshake_age_us == 31_000_000
    assert (check.primary.received_bytes, check.primary.sent_bytes) == (4096, 8192)


def test_an_unreadable_peer_has_neither():
    check = Check(handshake=HandshakeReport(0, 0, 0, "not permitted")).run()
    assert check.primary.handshake_age_us is None
    assert check.primary.received_bytes is None


# --- other sources ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "state"), [(Act.ALONE, PathState.DOWN), (Act.CORROBORATE, PathState.UP)])
def test_an_alert_decides_only_where_it_may_act_alone(act, state):
    check = Check().run()
    group = check.setup.groups[0]
    source = EvidenceSource(9, "alertmanager", Layer.DATAPLANE, act)
    policy = replace(group.policy, sources=(*group.policy.sources, source))
    setup = replace(check.setup, groups=(replace(group, policy=policy),))
    firing = LayerReport(Layer.DATAPLANE, Verdict.DOWN, "TunnelDown fires")
    check.evidence.layers["cloud", "primary", 9] = firing
    (report,) = judge(setup, check.evidence, NOW_NS)
    assert report.paths[0].state is state


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(Verdict.UP, PathState.UP), (Verdict.DOWN, PathState.DOWN), (Verdict.UNKNOWN, PathState.UNKNOWN)],
)
def test_where_no_packet_is_sent_the_source_that_decides_is_believed(verdict, state):
    check = Check().run()
    group = check.setup.groups[0]
    source = EvidenceSource(0, "prometheus", Layer.DATAPLANE, Act.ALONE)
    setup = replace(
        check.setup, groups=(replace(group, policy=replace(group.policy, streams=(), sources=(source,))),)
    )
    check.evidence.layers["cloud", "primary", 0] = LayerReport(Layer.DATAPLANE, verdict, "the query says so")
    (report,) = judge(setup, check.evidence, NOW_NS)
    assert (report.paths[0].state, report.paths[0].reason) == (state, "the query says so")

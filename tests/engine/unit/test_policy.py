"""The defaults that an operator gets, and what a policy derives from what it is given."""

from __future__ import annotations

from tests.engine.world import A, B, policy, stream
from wgfo.engine import policy as rules
from wgfo.engine.policy import (
    MINUTE_US,
    SECOND_US,
    Act,
    DampingRule,
    Drift,
    EvidenceSource,
    GroupPolicy,
    LatencyRule,
    LossRule,
    PathPolicy,
    RecoverRule,
    ServicePolicy,
    SetPolicy,
    StreamPolicy,
)
from wgfo.model import (
    LARGE,
    SMALL,
    GroupName,
    Layer,
    PathName,
    ProviderName,
    RouteSetId,
    TableName,
)


def test_constants_are_those_of_the_documents() -> None:
    assert (SECOND_US, MINUTE_US) == (1_000_000, 60_000_000)
    assert rules.HANDSHAKE_EXPIRED_US == 180_000_000
    assert rules.STALL_INTERVALS == 5
    assert (rules.CONTENDED_WINDOW_US, rules.CONTENDED_REWRITES) == (300_000_000, 3)


def test_defaults_are_those_of_the_documents() -> None:
    second = 1_000_000
    assert LossRule() == LossRule(percent=20, window_us=20 * second, margin=10, confirm_us=10 * second)
    assert RecoverRule() == RecoverRule(percent=2, window_us=100 * second)
    assert LatencyRule() == LatencyRule(median_us=None, window_us=20 * second, act=False)
    assert DampingRule() == DampingRule(
        half_life_us=900 * second, suppress=2000, reuse=750, max_moves=6, max_moves_window_us=3600 * second
    )


def test_defaults_of_probes_and_paths() -> None:
    one = StreamPolicy(0, "icmp", SMALL, SECOND_US, 800_000, ())
    assert (one.fall, one.base, one.act, one.anchored) == (3, False, Act.ALONE, True)
    source = EvidenceSource(0, "alerts", Layer.DATAPLANE)
    assert source.act is Act.CORROBORATE
    path = PathPolicy(A)
    assert (path.visible, path.anchor, path.layers) == (True, True, frozenset({Layer.DATAPLANE}))
    service = ServicePolicy(0, "http", ())
    assert (service.interval_us, service.fall) == (1_000_000, 3)


def test_defaults_of_route_sets() -> None:
    one = SetPolicy(RouteSetId("linux/main/g"), ProviderName("linux"), TableName("main"))
    assert (one.prefixes, one.adopt, one.settle_us, one.late_write_us) == (1, False, 0, 0)
    assert one.deadline_us == 20_000_000


def test_defaults_of_a_group() -> None:
    group = GroupPolicy(GroupName("g"), (PathPolicy(A),))
    assert (group.streams, group.sources, group.sets, group.services) == ((), (), (), ())
    assert (group.rise, group.class_fall) == (10, 5)
    assert (group.revertive, group.has_reference, group.drift) == (True, False, Drift.REPAIR)
    assert (group.wait_to_restore_us, group.hold_off_us, group.reconcile_us) == (300_000_000, 0, 30_000_000)
    assert group.reference_fall == 2


def test_only_streams_that_decide_alone_are_base_or_class() -> None:
    streams = (
        stream(0),
        stream(1, base=False, probe_class=LARGE),
        stream(2, act=Act.CORROBORATE),
        stream(3, base=False, act=Act.CORROBORATE),
    )
    group = policy(streams=streams)
    assert group.base_streams == (streams[0],)
    assert group.class_streams == (streams[1],)


def test_paths_are_ranked_in_the_order_given() -> None:
    group = policy()
    assert (group.preferred, group.rank(A), group.rank(B)) == (A, 0, 1)
    assert group.path(B) == PathPolicy(B)
    assert group.path(PathName("x")) is None

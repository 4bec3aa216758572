"""The reference and the service probes."""

from tests.daemon.fakes import MS_US, SECOND_US, FakeNet, Heard, NoOptions, group_setup, play

from wgfo.config.setup import GroupSetup, ServiceSetup
from wgfo.daemon.unbound import Reference, Unbound, reference_offer
from wgfo.engine.events import ReferenceClosed, ServiceClosed
from wgfo.engine.policy import ServicePolicy
from wgfo.model import Outcome


def listening(clock, spawn, groups, hosts=("192.168.10.1", "192.168.10.2")):
    net, heard = FakeNet(clock), Heard()
    unbound = Unbound(clock, heard, spawn, heard.problem)
    unbound.configure(groups(net), Reference(net.offer(), NoOptions(), hosts) if hosts else None)
    return net, heard


def test_one_living_host_means_that_we_are_not_isolated():
    async def scenario(clock, spawn):
        net, heard = listening(clock, spawn, lambda _net: [group_setup("a"), group_setup("b")])
        net.answer = lambda _sent, target: Outcome.OK if target.endswith("2") else Outcome.LOST
        await clock.sleep_until_us(clock.monotonic_us() + 950 * MS_US)
        assert [(name, event.alive) for name, event in heard.events] == [("a", True), ("b", True)]
        assert isinstance(heard.events[0][1], ReferenceClosed)

    play(scenario)


def test_silence_is_dated_by_its_first_lost_probe():
    async def scenario(clock, spawn):
        net, heard = listening(clock, spawn, lambda _net: [group_setup("a")])
        net.answer = lambda sent, _target: Outcome.OK if len(net.sent) < 2 else Outcome.LOST
        await clock.sleep_until_us(clock.monotonic_us() + 3_900 * MS_US)
        second = net.sent[1].at_us
        said = [(event.alive, event.first_lost_us) for _, event in heard.events]
        assert said == [(True, 0), (False, second), (False, second), (False, second)]

    play(scenario)


def test_what_is_unknown_is_not_silence():
    async def scenario(clock, spawn):
        net, heard = listening(clock, spawn, lambda _net: [group_setup("a")])
        net.answer = lambda _sent, target: Outcome.UNKNOWN if target.endswith("2") else Outcome.LOST
        await clock.sleep_until_us(clock.monotonic_us() + 950 * MS_US)
        assert heard.events[0][1].alive is None

    play(scenario)


def test_a_service_round_says_when_its_good_probe_left():
    async def scenario(clock, spawn):
        def groups(net):
            policy = ServicePolicy(3, "fake", ("s1", "s2"), SECOND_US)
            base = group_setup("a")
            service = ServiceSetup(policy, net.offer(), NoOptions(), 500 * MS_US)
            return [GroupSetup(base.policy, base.paths, (), (), (service,))]

        net, heard = listening(clock, spawn, groups, hosts=())
        net.answer = lambda _sent, target: Outcome.OK if target == "s2" else Outcome.LOST
        await clock.sleep_until_us(clock.monotonic_us() + 900 * MS_US)
        event = heard.events[0][1]
        assert isinstance(event, ServiceClosed)
        assert (event.service, event.alive) == (3, True)
        assert event.sent_us == net.sent[0].at_us + net.sent[0].stagger_us

    play(scenario)


def test_the_reference_uses_the_kind_that_proves_a_path_by_default():
    net = FakeNet(None)
    assert reference_offer([net.offer("one"), net.offer("two")]).kind == "one"
    assert reference_offer([]) is None

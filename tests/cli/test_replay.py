"""A journal decided again gives the same decisions; by other rules, what they would have done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import A, B, Fault, RequestKind, Table, World, policy, seconds, stream
from tests.support.recording import checkpoint, header, interleaved, recorded, steps_of, write
from wgfo.cli.configured import configure
from wgfo.cli.main import main
from wgfo.cli.supposed import Kind, pairs
from wgfo.daemon.matching import match
from wgfo.daemon.records import Gap, Opened
from wgfo.daemon.replaying import replay
from wgfo.daemon.whatif import suppose
from wgfo.engine.decisions import Switch
from wgfo.engine.events import RoundClosed, StoredGroup
from wgfo.engine.policy import LossRule, PathPolicy, RecoverRule, StreamPolicy
from wgfo.model import LARGE, Outcome, PathHop

ONPREM = Path(__file__).parents[1] / "config/examples/onprem.toml"
WGFO = str(Path(sys.executable).with_name("wgfo"))


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["replay", *map(str, arguments)])
        return (ended.value.code, *capsys.readouterr())

    return run


def rules(**changes):
    settings = {"revertive": True, "wait_to_restore_us": seconds(20), "recover": RecoverRule(2, seconds(20))}
    return policy(**settings | changes)


def outage(group=None, **more):
    """Return a world with an outage of the active path, and its steps over two minutes."""
    world = World(group or rules(), faults=[Fault((A,), 40, 60)], **more)
    return world, steps_of(world, 120)


def opened(group):
    return Opened(header({group.name: group}))


def what_if(steps, new):
    old = steps[0] if isinstance(steps[0], Opened) else None
    assert old is not None
    return suppose(steps, {new.name: new})


def kinds(span):
    return [(pair.kind, (pair.new or pair.recorded).rule) for pair in pairs(span.recorded, span.supposed)]


# --- the same rules -----------------------------------------------------------------------------------------


def test_a_journal_decided_again_is_identical(cli, tmp_path):
    world, steps = outage()
    path = write(tmp_path / "journal-0000000000.wgfo", [opened(world.policy), *steps])
    code, out, err = cli(path)
    assert code == 0
    assert (
        out
        == f"session s from 2026-01-01T00:00:00.000Z, 2 min 0 s, 1 groups, {len(steps)} steps: identical\n"
    )
    assert err == f"{len(steps)} steps replayed: every decision is the same\n"


@pytest.mark.parametrize("where", ["", "journal"])
def test_the_state_directory_and_the_journal_in_it_are_accepted(cli, tmp_path, where):
    world, steps = outage()
    (tmp_path / "state/journal").mkdir(parents=True)
    write(tmp_path / "state/journal/journal-0000000000.wgfo", [opened(world.policy), *steps])
    assert cli(tmp_path / "state" / where)[0] == 0


def test_a_decision_that_differs_is_shown_where_it_parts_and_ends_with_one(cli, tmp_path):
    world, steps = outage()
    place, step = next(
        (place, step)
        for place, step in enumerate(steps)
        if any(isinstance(one, Switch) for one in step.decisions)
    )
    changed = tuple(
        replace(one, reason="a whim") if isinstance(one, Switch) else one for one in step.decisions
    )
    steps[place] = replace(step, decisions=changed)
    path = write(tmp_path / "j.wgfo", [opened(world.policy), *steps])
    code, out, err = cli(path)
    assert code == 1
    assert ": differs" in out
    assert "recorded by wgfo 0.0.1" in out
    assert '"reason":"a whim"' in next(
        line for line in out.splitlines() if line.strip().startswith("recorded:")
    )
    assert '"reason":"a is down' in next(
        line for line in out.splitlines() if line.strip().startswith("replayed:")
    )
    assert err.endswith("1 differences\n")
    shown = json.loads(cli(path, "--json")[1])
    assert shown["identical"] is False
    assert shown["sessions"][0]["differences"][0]["event"] in {"RoundClosed", "Tick"}


def test_what_follows_a_gap_is_skipped_until_a_checkpoint(cli, tmp_path):
    world = World(rules(), faults=[Fault((A,), 40, 60)])
    before = steps_of(world, 50)
    between = recorded(world, 70)
    known = checkpoint(world, {world.policy.name: world.policy})
    after = recorded(world, 120)
    gap = Gap(len(between) - 1, "left out")
    path = write(tmp_path / "j.wgfo", [opened(world.policy), *before, gap, between[-1], known, *after])
    code, out, err = cli(path)
    assert code == 0
    assert f"gap: {len(between) - 1} steps are missing: left out" in out
    assert "1 steps were not replayed" in out
    assert err == f"{len(before) + len(after)} steps replayed: every decision is the same\n"


def test_a_checkpoint_is_compared_with_the_state_that_was_reached(tmp_path):
    world, steps = outage()
    group = world.policy
    good = checkpoint(world, {group.name: group})
    (session,) = replay([opened(group), *steps, good])
    assert (session.checkpoints, session.differences) == (1, [])
    other = World(rules()).run(100)
    (session,) = replay([opened(group), *steps, checkpoint(other, {group.name: group})])
    assert [one.what for one in session.differences] == ["checkpoint"]


def test_a_journal_whose_beginning_was_trimmed_begins_at_its_checkpoint():
    world, _ = outage()
    begun = checkpoint(world, {world.policy.name: world.policy})
    after = []
    world.watchers[:] = [lambda _w, event, made: after.append((event, made))]
    world.run(150)
    steps = [
        replace(steps_of(World(world.policy), 0)[0], event=event, decisions=made) for event, made in after
    ]
    (session,) = replay([begun, *steps])
    assert (session.steps, session.skipped, session.differences) == (len(steps), 0, [])


def test_what_is_no_journal_is_an_error_that_says_what_is_accepted(cli, tmp_path):
    (tmp_path / "text").write_text("hello")
    for path in (tmp_path / "none", tmp_path / "text", tmp_path):
        code, out, err = cli(path)
        assert (code, out) == (1, "")
        assert "accepted is a state directory" in err


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A journal of 200 groups, interleaved, each with troubles of its own."""
    runs, policies = [], {}
    for number in range(200):
        name = f"g{number}"
        group = rules(name=name)
        faults = [Fault((A, B)[: 1 + number % 2], 12 + number % 7, 20, loss=(1, 0.4)[number % 3 == 0])]
        world = World(group, seed=number, faults=faults)
        runs.append(steps_of(world, 24))
        policies[name] = group
    path = tmp_path_factory.mktemp("many") / "journal-0000000000.wgfo"
    return write(path, [Opened(header(policies)), *interleaved(runs)])


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_two_hundred_interleaved_groups_are_identical_under_any_hash_seed(many, seed):
    done = subprocess.run(
        [WGFO, "replay", str(many), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": seed},
        timeout=300,
    )
    shown = json.loads(done.stdout)
    (session,) = shown["sessions"]
    assert (done.returncode, shown["identical"]) == (0, True)
    assert len(session["groups"]) == 200
    assert session["steps"] > 15_000


# --- other rules --------------------------------------------------------------------------------------------


def test_under_the_recorded_rules_the_same_switches_come_out():
    world, steps = outage()
    (span,) = what_if([opened(world.policy), *steps], world.policy).spans
    assert kinds(span) == [(Kind.SAME, "signal_fail"), (Kind.SAME, "revert")]
    assert (span.missing, span.notes) == ((), [])
    assert span.recorded_path == span.supposed_path == A


def test_a_shorter_fall_would_have_found_it_sooner():
    world, steps = outage()
    new = replace(world.policy, streams=(stream(fall=2),))
    (span,) = what_if([opened(world.policy), *steps], new).spans
    first = pairs(span.recorded, span.supposed)[0]
    assert (first.kind, first.later_us) == (Kind.MOVED, -seconds(1))


def test_a_group_that_would_not_have_returned_shows_the_return_as_recorded_only():
    world, steps = outage()
    (span,) = what_if([opened(world.policy), *steps], replace(world.policy, revertive=False)).spans
    assert kinds(span) == [(Kind.SAME, "signal_fail"), (Kind.RECORDED, "revert")]
    assert (span.recorded_path, span.supposed_path) == (A, B)


def test_a_shorter_wait_returns_and_leaves_again():
    world = World(rules(wait_to_restore_us=seconds(600)), faults=[Fault((A,), 40, 60), Fault((A,), 150)])
    steps = steps_of(world, 200)
    (span,) = what_if([opened(world.policy), *steps], rules(wait_to_restore_us=seconds(10))).spans
    assert kinds(span) == [(Kind.SAME, "signal_fail"), (Kind.NEW, "revert"), (Kind.NEW, "signal_fail")]


def test_an_operators_recorded_wish_is_asked_again():
    world = World(rules())
    world.at(40, lambda: world.request(RequestKind.SWITCH, B))
    steps = steps_of(world, 60)
    (span,) = what_if([opened(world.policy), *steps], replace(world.policy, hold_off_us=seconds(1))).spans
    assert kinds(span) == [(Kind.SAME, "manual")]


def test_a_shorter_timeout_makes_slow_replies_lost():
    world, steps = outage()
    (patient,) = match(world.policy, world.policy).streams[0]
    (hasty,) = match(world.policy, replace(world.policy, streams=(stream(timeout_us=1_000),))).streams[0]
    event = next(one.event for one in steps if isinstance(one.event, RoundClosed))
    assert patient.round(event) == event
    assert {result.outcome for result in (*hasty.round(event).results, hasty.round(event).anchor)} == {
        Outcome.LOST
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"streams": (stream(interval_us=seconds(2)),)}, "every 2 s is not in the recording, which has: 1 s"),
        ({"streams": (stream(kind="tcp"),)}, "probe tcp of class small is not in the recording"),
        ({"streams": (stream(targets=("t1", "t9")),)}, "the recording has only: t1, t2, t3"),
        ({"streams": (stream(timeout_us=900_000),)}, "replies after 800 ms count as lost"),
        (
            {"streams": (stream(), StreamPolicy(1, "icmp", LARGE, seconds(2), seconds(1), ("t1",)))},
            "class large is not in the recording",
        ),
        ({"paths": (PathPolicy(A), PathPolicy(B), PathPolicy("c"))}, "path c is not in the recording"),
    ],
)
def test_what_was_not_recorded_is_said(changes, said):
    world, steps = outage()
    changes.setdefault("sources", ())
    (span,) = what_if([opened(world.policy), *steps], replace(world.policy, **changes)).spans
    assert any(said in text for text in span.missing), span.missing


def test_fewer_targets_in_another_order_are_picked_out_of_the_recorded_rounds():
    group = rules()
    world = World(group, faults=[Fault((A,), 40, 60, targets=("t2", "t3"), anchor=False)])
    steps = steps_of(world, 120)
    made = [one for step in steps for one in step.decisions if isinstance(one, Switch)]
    assert made[0].rule == "signal_degrade"
    new = replace(group, streams=(stream(targets=("t3", "t2")),))
    (span,) = what_if([opened(group), *steps], new).spans
    assert (span.supposed[0].rule, span.missing) == ("signal_fail", ())


def test_a_restart_goes_on_where_the_new_rules_had_left_off():
    group = rules(revertive=False)
    _, steps = outage(group)
    begun = World(group, stored=StoredGroup(desired=B, epoch=2), tables={group.sets[0].id: Table(PathHop(B))})
    second = steps_of(begun, 60)
    deaf = replace(group, streams=(stream(fall=30),), loss=LossRule(100, seconds(100)))
    records = [opened(group), *steps, Opened(header({group.name: group}, "t")), *second]
    first, after = what_if(records, deaf).spans
    assert (first.recorded_path, first.supposed_path) == (B, A)
    assert (after.recorded_path, after.supposed_path, after.supposed) == (B, A, [])


def test_after_a_gap_it_begins_again_at_the_next_checkpoint():
    world, steps = outage()
    group = world.policy
    found = what_if(
        [opened(group), *steps, Gap(7, "left out"), steps[-1], checkpoint(world, {group.name: group})], group
    )
    assert found.gaps == ("7 steps are missing: left out",)
    assert len(found.spans) == 2
    assert any("begins within the recording" in text for text in found.spans[1].notes)
    assert found.spans[1].supposed_path == world.desired


def test_groups_of_one_side_alone_are_named():
    world, steps = outage()
    found = suppose([opened(world.policy), *steps], {"other": rules(name="other")})
    assert (found.spans, found.absent, found.dropped) == ((), ("other",), (world.policy.name,))


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def onprem(tmp_path):
    """A journal of the documentation's example, with an outage of the primary."""
    group = configure(ONPREM, notices=False).setup.groups[0].policy
    tables = {one.id: Table(PathHop("primary")) for one in group.sets}
    world = World(group, faults=[Fault(("primary",), 40)], tables=tables)
    return write(tmp_path / "j.wgfo", [opened(group), *steps_of(world, 60)])


def test_a_new_configuration_is_compared_with_what_was_recorded(cli, tmp_path, onprem):
    new = tmp_path / "new.toml"
    new.write_text(ONPREM.read_text().replace('wait_to_restore = "5m"', "detect = { fall = 5 }"))
    code, out, err = cli(onprem, "--config", new)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].endswith("1 switch recorded, 1 switch with the new configuration")
    assert lines[1].startswith("  ~ 2026-01-01T00:00:4")
    assert lines[1].endswith("2 s later than recorded")
    (span,) = json.loads(cli(onprem, "--config", new, "--json")[1])["spans"]
    assert span["switches"][0]["kind"] == "moved"
    assert span["switches"][0]["later_seconds"] == 2.0
    assert span["switches"][0]["recorded"]["rule"] == "signal_fail"


def test_a_broken_new_configuration_names_its_mistakes(cli, tmp_path, onprem):
    new = tmp_path / "new.toml"
    new.write_text(ONPREM.read_text().replace("wait_to_restore", "wait_to_restor"))
    code, out, err = cli(onprem, "--config", new)
    assert (code, out) == (1, "")
    assert "wait_to_restor" in err

"""Rule 3: only the named destinations are touched; a foreign route is a conflict, unless adopted."""

from __future__ import annotations

from wgfo.model import Absent, FailureKind, Foreign, PathHop
from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule

_TAKEN = {FailureKind.FOREIGN, FailureKind.CONFLICT}


class OnlyWhatIsNamed(Rule):
    """Rule 3."""

    rule = 3

    async def test_other_destinations_and_other_tables_are_left_alone(self, bench: Bench) -> None:
        one, other = bench.route_set(), bench.route_set(table=1)
        await bench.world.put(one.table, bench.unrelated, None)
        await bench.world.put(other.table, bench.prefixes[0], None)
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        around, beside = await bench.others(one.table, bench.prefixes), await bench.others(other.table)
        for path in (bench.b, bench.a):
            await bench.moved(provider, one, path)
        assert await bench.others(one.table, bench.prefixes) == around, "an unrelated route was touched"
        assert await bench.others(other.table) == beside, "a table of no set was touched"
        assert around, "put() of an unrelated prefix shows in routes()"

    async def test_a_foreign_route_is_a_conflict_and_stays(self, bench: Bench) -> None:
        one, taken = bench.route_set(), bench.prefixes[0]
        await bench.world.put(one.table, taken, None)
        before = await bench.carriers(one.table, taken)
        provider = await bench.open(one)
        outcome = await bench.point(provider, one, bench.a)
        assert [failure.prefix for failure in outcome.failures] == [taken], f"{taken} is foreign: {outcome}"
        assert outcome.failures[0].kind in _TAKEN, f"a foreign route is a conflict: {outcome.failures[0]}"
        assert await bench.carriers(one.table, taken) == before, "the foreign route was overwritten"
        await bench.assert_carried(one, bench.a, bench.prefixes[1:])

    async def test_a_foreign_route_is_taken_over_when_adopted(self, bench: Bench) -> None:
        one = bench.route_set(adopt=True)
        await bench.world.put(one.table, bench.prefixes[0], None)
        provider = await bench.open(one)
        outcome = await bench.point(provider, one, bench.a)
        assert outcome.ok, f"adopt is set: {outcome}"
        await bench.assert_carried(one, bench.a)

    async def test_a_route_that_was_ours_is_repaired_whatever_it_became(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.world.put(one.table, bench.prefixes[0], None)
        await bench.world.drop(one.table, bench.prefixes[1])
        outcome = await bench.point(provider, one, bench.a, owned=True)
        assert outcome.ok, f"the set is owned: a change by others is drift, not a foreign route: {outcome}"
        await bench.assert_carried(one, bench.a)

    async def test_observe_tells_foreign_absent_and_other_candidates_apart(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.world.put(one.table, bench.prefixes[0], None)
        await bench.world.drop(one.table, bench.prefixes[1])
        seen = await bench.observe_until(
            provider, one, lambda seen: len(seen.exceptions) > 1, "two routes differ"
        )
        found = {each.prefix: each.observed for each in seen.exceptions}
        assert seen.majority == PathHop(bench.a), f"most prefixes point at {bench.a}: {seen}"
        assert set(found) == set(bench.prefixes[:2]), f"two prefixes differ from the others: {seen}"
        foreign = found[bench.prefixes[0]]
        assert isinstance(foreign, Foreign), f"a hop that is no candidate is Foreign: {foreign}"
        assert foreign.text, "a foreign hop is told in the platform's words"
        assert not foreign.written_by_us, "somebody else wrote the foreign route"
        assert found[bench.prefixes[1]] == Absent(), "a deleted route is Absent"

    async def test_observe_tells_which_candidate_somebody_chose(self, bench: Bench) -> None:
        one, moved = bench.route_set(), bench.prefixes[0]
        provider = await bench.open(one)
        await bench.moved(provider, one, bench.a)
        await bench.world.put(one.table, moved, one.hops[bench.b])
        seen = await bench.observe_until(provider, one, lambda seen: bool(seen.exceptions), "a route differs")
        assert {each.prefix: each.observed for each in seen.exceptions} == {moved: PathHop(bench.b)}, (
            f"{seen}"
        )

    async def test_looking_changes_nothing(self, bench: Bench) -> None:
        one = bench.route_set()
        await bench.world.put(one.table, bench.prefixes[0], None)
        before, received = await bench.others(one.table), bench.world.log.writes
        permit = bench.permit()
        provider = await bench.open(one, read_only=True, permit=permit)
        await bench.check(provider, one, permit=permit)
        await bench.observe(provider, one, permit=permit)
        assert permit.writes == 0, "permit.write() was awaited by a read-only open(), check() or observe()"
        assert bench.world.log.writes == received, "a read-only open(), check() or observe() sent a write"
        assert await bench.others(one.table) == before, "a read-only open(), check() or observe() changed it"

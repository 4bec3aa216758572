"""What the contract's types promise, before any rule."""

from __future__ import annotations

import asyncio
import contextlib
import time

from wgfo.model import Changed
from wgfo.plugin import RouteProvider
from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule

_NONSENSE = ("", " ", "no such thing!", "-", "\x00", "∞")
_PAUSE_S = 0.1


class Shape(Rule):
    """The shape of offer and provider."""

    rule = 0

    async def test_parsers_are_idempotent(self, bench: Bench) -> None:
        offer, options = bench.offer, bench.options
        for name, spec in zip(bench.tables, bench.world.tables, strict=True):
            assert offer.parse_table(name, options) == name, f"{name!r} should be its own canonical spelling"
            for text in spec.hops.values():
                hop = offer.parse_hop(text, options)
                assert offer.parse_hop(hop, options) == hop, f"{hop!r} should be its own canonical spelling"

    async def test_parsers_refuse_nonsense_by_value_error_alone(self, bench: Bench) -> None:
        destination = bench.offer.parse_destination
        parsers = [bench.offer.parse_table, bench.offer.parse_hop, *((destination,) if destination else ())]
        for parse in parsers:
            for text in _NONSENSE:
                with contextlib.suppress(ValueError):
                    parse(text, bench.options)

    async def test_the_scope_names_the_account(self, bench: Bench) -> None:
        scope = bench.offer.scope(bench.options)
        assert scope, "scope() must name the account, project or namespace: budgets are shared by it"
        assert scope == bench.offer.scope(bench.options)

    async def test_observe_answers_for_every_set_and_for_no_other(self, bench: Bench) -> None:
        left, right = bench.route_set(), bench.route_set(table=1)
        provider = await bench.open(left, right)
        await bench.moved(provider, left, bench.a)
        found = await bench.call(provider.observe((left, right), bench.permit()))
        assert set(found) == {left.id, right.id}
        assert {key: one.set_id for key, one in found.items()} == {left.id: left.id, right.id: right.id}

    async def test_a_change_by_others_is_hinted_at_where_hints_are_promised(self, bench: Bench) -> None:
        one = bench.route_set()
        provider = await bench.open(one)
        if not provider.capabilities.watches:
            return
        await bench.moved(provider, one, bench.a)
        hint = bench.begin(_first_hint(bench, provider))
        limit = time.monotonic() + bench.world.patience_ms / 1000
        while not hint.done() and time.monotonic() < limit:  # watch() may take a moment to begin
            await bench.world.drop(one.table, bench.prefixes[0])
            await bench.world.put(one.table, bench.prefixes[0], None)
            await asyncio.wait({hint}, timeout=_PAUSE_S)
        hint.cancel()
        assert hint.done(), "capabilities.watches is set, but watch() yields nothing when routes change"
        assert hint.result() == Changed(one.id)


async def _first_hint(bench: Bench, provider: RouteProvider) -> Changed | None:
    async with contextlib.aclosing(provider.watch((bench.route_set(),))) as hints:  # type: ignore[type-var]
        async for hint in hints:
            return hint
    return None

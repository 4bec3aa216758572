"""Rule 11: SDKs are imported in ``open``, never at discovery. Looked at in a process of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule

_LOOK: Final = """
import importlib, json, sys
from wgfo.plugin.manager import registry_of
plugin, kind, options, tables, hops = json.load(sys.stdin)
before = set(sys.modules)
registry = registry_of(importlib.import_module(plugin))
found = {"broken": [one.error for one in registry.broken], "discovery": sorted(set(sys.modules) - before)}
if kind in registry.routes:
    offer = registry.routes[kind]
    made = offer.options_model.model_validate(options)
    for table in tables: offer.parse_table(table, made)
    for hop in hops: offer.parse_hop(hop, made)
    offer.scope(made)
    offer.open(made)
    found["made"] = sorted(set(sys.modules) - before)
json.dump(found, sys.stdout)
"""
_TIMEOUT_S: Final = 60


class DiscoveryIsCheap(Rule):
    """Rule 11."""

    rule = 11

    async def test_discovering_the_plugin_imports_no_sdk(self, bench: Bench) -> None:
        found = _look(_question(bench))
        assert not found["broken"], f"the plugin cannot be discovered: {found['broken']}"
        imported = _tops(found["discovery"]) & set(bench.world.sdks)
        assert not imported, f"importing {bench.world.plugin} and asking for its offers imports {imported}"

    async def test_parsing_and_making_an_instance_import_no_sdk(self, bench: Bench) -> None:
        found = _look(_question(bench))
        assert "made" in found, f"{bench.world.plugin} offers no kind {bench.offer.kind!r}: {found['broken']}"
        imported = (_tops(found["made"]) - _tops(found["discovery"])) & set(bench.world.sdks)
        assert not imported, f"parsers or RouteOffer.open() import {imported}; RouteProvider.open() may"


def _question(bench: Bench) -> str:
    world = bench.world
    hops = [hop for spec in world.tables for hop in spec.hops.values()]
    tables = [spec.table for spec in world.tables]
    return json.dumps([world.plugin, world.offer.kind, dict(world.options), tables, hops], default=str)


@functools.lru_cache(maxsize=4)
def _look(question: str) -> dict[str, list[str]]:
    done = subprocess.run(  # noqa: S603 - this interpreter, with a constant program
        [sys.executable, "-c", _LOOK],
        input=question,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, f"discovery in a process of its own failed: {done.stderr[-2000:]}"
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def _tops(modules: Sequence[str]) -> set[str]:
    """Return the names under which ``sdks`` may list them: the modules and all that they are part of."""
    parts = (module.split(".") for module in modules)
    return {".".join(names[:length]) for names in parts for length in range(1, len(names) + 1)}

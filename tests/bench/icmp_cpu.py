"""CPU share and round trip times of the echo probe: ``python -m tests.bench.icmp_cpu`` (root, on demand).

20 targets every 50 ms through one path, as one burst and staggered over the interval; and the same with every
target dead.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Sequence

from tests.probes.making import context, opened
from tests.probes.wires import Wires, batch, wires
from wgfo.model import Outcome, ProbeResult
from wgfo.plugin import RoundProbe
from wgfo.probes.plugin import ICMP_OFFER

TARGETS = [f"10.9.0.{n}" for n in range(1, 21)]
INTERVAL_S = 0.05
SECONDS = 8


async def measure(probe: RoundProbe, stagger_us: int) -> tuple[float, float, list[ProbeResult]]:
    """Run rounds for some seconds; return the shares of a core, user and system, and all results."""
    results: list[ProbeResult] = []
    started, cpu = time.monotonic(), os.times()
    for number in range(int(SECONDS / INTERVAL_S)):
        await asyncio.sleep(max(0, started + number * INTERVAL_S - time.monotonic()))
        results.extend(await probe.round(TARGETS, stagger_us))
    now, lasted = os.times(), time.monotonic() - started
    return (now.user - cpu.user) / lasted, (now.system - cpu.system) / lasted, results


def tell(what: str, user: float, system: float, results: Sequence[ProbeResult]) -> None:
    rtts = [result.rtt_us for result in results if result.outcome is Outcome.OK] or [0, 0]
    p99 = statistics.quantiles(rtts, n=100)[98]
    answered = sum(result.outcome is Outcome.OK for result in results)
    print(
        f"{what:<18} {user:6.2%} user, {system:6.2%} system of a core   "
        f"rtt p50 {statistics.median(rtts):.0f} us, p99 {p99:.0f} us   "
        f"{answered} of {len(results)} answered"
    )


async def run(net: Wires) -> None:
    with net.client.entered():
        async with opened(ICMP_OFFER, context("wa", timeout_ms=40)) as probe:
            for what, stagger_us in (("burst", 0), ("staggered by 2 ms", 2000)):
                tell(what, *await measure(probe, stagger_us))
            net.cut(net.gate_a)
            tell("dead, burst", *await measure(probe, 0))


def main() -> None:
    with wires() as net:
        batch(net.server, *(f"addr replace {target}/32 dev lo" for target in TARGETS))
        asyncio.run(run(net))


if __name__ == "__main__":
    main()

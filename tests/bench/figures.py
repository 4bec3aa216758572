"""How long the detector's figures take, which `wgfo explain` shows and `wgfo run` computes beside the loop.

    python -m tests.bench.figures

Prints milliseconds of processor time for the shortest, the default and the longest interval, with eight targets.
"""

from __future__ import annotations

import time
from dataclasses import replace

from tests.telemetry.replayed import policy_of
from wgfo.engine.policy import SECOND_US
from wgfo.telemetry.figures.figures import figures_of

INTERVALS_US = (20_000, 100_000, SECOND_US, 10 * SECOND_US)


def spent_ms(interval_us: int) -> float:
    """Return the processor time of one computation."""
    plain = policy_of(*"abcdefgh")
    stream = replace(plain.streams[0], interval_us=interval_us, timeout_us=interval_us * 4 // 5)
    began = time.process_time()
    figures_of(replace(plain, streams=(stream,)))
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    for interval_us in INTERVALS_US:
        print(f"a round every {interval_us / SECOND_US:5g} s {spent_ms(interval_us):8.0f} ms")

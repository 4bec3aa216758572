"""How long a command takes before it does anything.

    python -m tests.bench.start_up

Prints the best of five in milliseconds; ``wgfo --help`` is promised within half a second.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

WGFO = Path(sys.executable).with_name("wgfo")
COMMANDS = {
    "an empty interpreter": [sys.executable, "-c", ""],
    "wgfo --help": [str(WGFO), "--help"],
    "wgfo plugins (discovers all)": [str(WGFO), "plugins"],
}


def best_ms(command: list[str], runs: int = 5) -> float:
    """Return the shortest of several runs."""
    taken = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=30, check=True)
        taken.append((time.perf_counter() - begin) * 1000)
    return min(taken)


if __name__ == "__main__":
    for name, command in COMMANDS.items():
        print(f"{name:32} {best_ms(command):8.0f} ms")

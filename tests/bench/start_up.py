"""How long a command takes before it does anything, and how much memory.

    python -m tests.bench.start_up

Prints the best of five in milliseconds, and the greatest resident size in MiB. Promised with all plugins installed:
``wgfo --help`` and ``wgfo plugins`` within half a second and 60 MB.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

WGFO = str(Path(sys.executable).with_name("wgfo"))
COMMANDS = {
    "an empty interpreter": [sys.executable, "-c", ""],
    "wgfo --help": [WGFO, "--help"],
    "wgfo plugins (discovers all)": [WGFO, "plugins"],
}


def cost(command: list[str]) -> tuple[float, float]:
    """Run a command silently; return its time in milliseconds and its greatest resident size in MiB."""
    begin = time.perf_counter()
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=nowhere)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return (time.perf_counter() - begin) * 1000, usage.ru_maxrss / 1024


if __name__ == "__main__":
    for name, command in COMMANDS.items():
        runs = [cost(command) for _ in range(5)]
        print(f"{name:32} {min(ms for ms, _ in runs):8.0f} ms {max(mib for _, mib in runs):8.0f} MiB")

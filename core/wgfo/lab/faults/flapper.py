"""The process behind ``flap``.

``python -m wgfo.lab.faults.flapper SECONDS CYCLES CUT MEND``, the last two nft text. It ends after
its cycles, or at SIGTERM between two changes, never inside one.
"""

from __future__ import annotations

import signal
import subprocess
import sys


def flap(period_s: int, cycles: int, cut: str, mend: str) -> None:
    """Cut and mend in turn, each for ``period_s``."""
    for _ in range(cycles):
        for text in (cut, mend):
            _nft(text)
            if signal.sigtimedwait({signal.SIGTERM}, period_s) is not None:
                return


def _nft(text: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True, timeout=10)  # noqa: S607 - as surveyed


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    flap(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])

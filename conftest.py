"""For all tests: in CI the random examples are the same at every run; ``--hypothesis-profile=deep`` tries more."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
settings.register_profile("deep", max_examples=1_000)
if os.environ.get("CI"):
    settings.load_profile("ci")

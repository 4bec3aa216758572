"""What can be broken in a lab, by name.

A fault is one class: its docstring is its help text, ``inject`` makes it, ``heal`` ends it. Faults are
independent of each other: each has nft tables, processes and settings of its own, named after it.
"""

from __future__ import annotations

import difflib
from typing import Final

from wgfo.lab.errors import LabError
from wgfo.lab.faults.base import Bench, Fault, Injection
from wgfo.lab.faults.filters import FILTERS
from wgfo.lab.faults.processes import PROCESSES
from wgfo.lab.faults.settings import SETTINGS
from wgfo.lab.topology import PathLabel

__all__ = ["FAULTS", "Bench", "Fault", "Injection", "parse_fault"]

FAULTS: Final[dict[str, Fault]] = {
    fault.name: fault for fault in sorted((*SETTINGS, *FILTERS, *PROCESSES), key=lambda fault: fault.name)
}


def parse_fault(text: str, path: PathLabel | None = None) -> Injection:
    """Return the injection that ``NAME`` or ``NAME=VALUE`` means on a path.

    Raises:
        LabError: no such fault, a value it does not take, or a path for a fault that belongs to none.
    """
    name, _, value = text.partition("=")
    fault = FAULTS.get(name)
    if fault is None:
        near = difflib.get_close_matches(name, FAULTS, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise LabError(f"no fault {name!r}; {hint}there are: {', '.join(FAULTS)}")
    if fault.default_path is None and path is not None:
        raise LabError(f"{name} belongs to no path; leave out --path")
    return Injection(fault, path or fault.default_path, fault.parse(value or None))

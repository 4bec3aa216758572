"""A running daemon in a lab, the traffic through it, and what a person would ask of both."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from wgfo.lab.actors import Daemon, Traffic
from wgfo.lab.lab import Lab
from wgfo.lab.ledger import Ledger, Outage
from wgfo.lab.topology import Node, PathLabel

T = TypeVar("T")
OTHER = {PathLabel.PRIMARY: PathLabel.SECONDARY, PathLabel.SECONDARY: PathLabel.PRIMARY}


class Trial:
    """The lab's own commands, the daemon's own answers, and the traffic meter's own figures."""

    def __init__(self, made: Lab, daemon: Daemon, traffic: Traffic) -> None:
        self.lab = made
        self.daemon = daemon
        self.traffic = traffic
        self.ledger = Ledger()

    # --- what is asked ---------------------------------------------------------------------------------

    @property
    def group(self) -> dict[str, Any]:
        answer = self.daemon.ask("/api/v1/status") or {}
        groups: list[dict[str, Any]] = answer.get("groups") or [{}]  # none before the first session
        return groups[0]

    @property
    def active(self) -> PathLabel:
        """Where all routes are; only to be asked while none is being moved."""
        return PathLabel(self.group["active"])

    def is_on(self, label: PathLabel) -> bool:
        """Whether all routes are there; in the middle of a switch they are nowhere together."""
        return bool(self.group["active"] == label)

    def path(self, label: PathLabel) -> dict[str, Any]:
        paths: list[dict[str, Any]] = self.group["paths"]
        return next(path for path in paths if path["name"] == label)

    @property
    def switches(self) -> list[dict[str, Any]]:
        answer = self.daemon.ask("/api/v1/history") or {"switches": []}
        switches: list[dict[str, Any]] = answer["switches"]
        return switches

    def until(self, what: str, check: Callable[[], T], within: float = 30) -> T:
        """Poll, reading the meter meanwhile, until a check is true; fail with ``what`` after the deadline."""
        deadline = time.monotonic() + within
        while True:
            self.read_meter()
            value = check()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within} s: {what}; {self.group}")
            time.sleep(0.05)  # between two polls

    def read_meter(self) -> None:
        for line in self.traffic.lines():
            self.ledger.feed(line)

    def settle(self) -> None:
        """Wait until both paths are up, the routes are right and traffic flows."""

        def well() -> bool:
            group = self.group
            paths = group.get("paths", [])
            return (
                bool(paths)
                and all(path["state"] == "up" for path in paths)
                and group["converged"]
                and bool(self.ledger.at_us)
                and self.ledger.silent_us < 300_000
            )

        self.until("both paths up, routes right, traffic flowing", well, within=60)

    # --- what is done ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def broken(self, fault: str, path: PathLabel | None = None) -> Iterator[None]:
        """Break for the length of a block, then wait until all is well."""
        self.lab.break_(fault, path)
        try:
            yield
        finally:
            self.lab.heal()
        self.settle()

    def run(self, node: Node, *argv: str) -> str:
        """Run a command in a node and return what it printed."""
        return self.lab.enclosure.run(*argv, node=node)

    def watch(self, seconds: float) -> None:
        """Let time pass, reading the meter."""
        end = time.monotonic() + seconds
        self.until(f"{seconds} s", lambda: time.monotonic() >= end, within=seconds + 10)

    def outages_since(self, at_us: int) -> list[Outage]:
        self.read_meter()
        return [outage for outage in self.ledger.outages() if outage.to_us > at_us]

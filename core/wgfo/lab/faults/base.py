"""What a fault is, and the bench it works on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wgfo.lab.enclosure import Enclosure
from wgfo.lab.errors import LabError
from wgfo.lab.topology import Node, PathLabel, Tunnel, tunnel


@dataclass(frozen=True, slots=True)
class Bench:
    """A lab as a fault sees it."""

    enclosure: Enclosure
    keys: Path
    """Where the settings of the tunnels are kept."""
    kernel_wireguard: bool

    def run(self, node: Node, *argv: str) -> str:
        """Run a command in a node; raises CommandFailed."""
        return self.enclosure.run(*argv, node=node)

    def nft(self, node: Node, text: str) -> None:
        """Load nft text in a node, all or nothing; raises CommandFailed."""
        self.enclosure.run("nft", "-f", "-", node=node, given=text)


class Fault(ABC):
    """One way to break a lab."""

    name: ClassVar[str]
    default_path: ClassVar[PathLabel | None] = PathLabel.PRIMARY
    """None: the fault belongs to no path."""
    default_value: ClassVar[str | None] = None
    """None: the fault takes no value."""
    accepted: ClassVar[str] = "no value"
    """What a value may be, for people."""

    @property
    def text(self) -> str:
        """What it does, in one sentence."""
        return " ".join((type(self).__doc__ or "").split())

    def parse(self, value: str | None) -> str | None:
        """Return a value in its canonical spelling, or the default for None.

        Raises:
            LabError: the fault does not take it.
        """
        if value is None:
            return self.default_value
        canonical = self.canonical(value) if self.default_value is not None else None
        if canonical is None:
            raise LabError(f"{self.name}={value}: {self.name} takes {self.accepted}")
        return canonical

    def canonical(self, value: str) -> str | None:
        """Return a value in its canonical spelling; None when it is none."""
        return value if value in self.accepted.split(" or ") else None

    @abstractmethod
    def inject(self, bench: Bench, at: Injection) -> None:
        """Make the fault; raises LabError and leaves nothing when it cannot be made."""

    @abstractmethod
    def heal(self, bench: Bench, at: Injection) -> None:
        """End the fault; what the fault took away is there again."""

    def renew(self, bench: Bench, at: Injection) -> None:  # noqa: B027 - most faults need none
        """Make the fault again where the healing of another one has undone it."""


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault at a path, with its value."""

    fault: Fault
    path: PathLabel | None
    value: str | None

    def __str__(self) -> str:
        value = f"={self.value}" if self.value else ""
        where = f" on {self.path}" if self.path else ""
        return f"{self.fault.name}{value}{where}"

    @property
    def tunnel(self) -> Tunnel:
        """The path's tunnel; of faults that belong to a path alone."""
        assert self.path is not None
        return tunnel(self.path)

    @property
    def label(self) -> str:
        """A word for tables and processes of this fault at this path."""
        return "_".join(("wgfo_lab", self.fault.name.replace("-", "_"), self.path or "all"))

    def inject(self, bench: Bench) -> None:
        """Make the fault."""
        self.fault.inject(bench, self)

    def heal(self, bench: Bench) -> None:
        """End the fault."""
        self.fault.heal(bench, self)

    def renew(self, bench: Bench) -> None:
        """Make it again where another fault's healing has undone it."""
        self.fault.renew(bench, self)

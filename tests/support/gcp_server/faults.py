"""What can be made to go wrong, for which requests, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Harm(StrEnum):
    """What happens to a request."""

    DELAY = "delay"
    """It is carried out and answered after ``delay_s``, whether or not the client still waits."""
    STALL = "stall"
    """It is held until ``release`` carries it out, or ``drop`` forgets it."""
    DROP_BEFORE = "drop before"
    """The connection breaks; nothing is carried out."""
    DROP_AFTER = "drop after"
    """It is carried out; the connection breaks before the answer."""
    ANSWER = "answer"
    """It is refused with ``status``, ``reason`` and ``text``."""
    GARBAGE = "garbage"
    """The answer is no JSON; nothing is carried out."""
    FAIL_LATER = "fail later"
    """It is accepted; its operation fails with ``reason`` and ``text``, and nothing has changed."""


@dataclass(slots=True)
class Fault:
    """One harm, and whom it befalls."""

    harm: Harm
    writes: bool = True
    prefix: str = ""
    """Only requests about this destination; empty: all."""
    method: str = ""
    """Only this method, such as ``compute.routes.delete``; empty: all of the kind."""
    times: int = 1_000_000
    delay_s: float = 0.0
    status: int = 503
    reason: str = "backendError"
    text: str = "Backend error"
    retry_after_s: int | None = None

    def befalls(self, method: str, prefix: str, *, write: bool) -> bool:
        return (
            self.times > 0
            and self.writes is write
            and self.prefix in {"", prefix}
            and self.method in {"", method}
        )


@dataclass(slots=True)
class Faults:
    """All that is arranged."""

    arranged: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        self.arranged.append(fault)
        return fault

    def take(self, method: str, prefix: str, *, write: bool) -> Fault | None:
        """Return what befalls a request, and count it."""
        found = next((one for one in self.arranged if one.befalls(method, prefix, write=write)), None)
        if found is not None:
            found.times -= 1
        return found

    def clear(self) -> None:
        self.arranged.clear()

"""The words of a scenario file: what is written, its defaults, and the plan that it makes.

Durations are text as in ``wgfo.toml``; times count from the beginning. ``[group]`` is a ``[[group]]`` of
``wgfo.toml`` over the defaults of :mod:`wgfo.simulate.defaults`, and is checked by the configuration itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, model_validator

from wgfo.config.models import Section
from wgfo.config.values import Count, Flag, Name, Percent, Positive, Some, Text
from wgfo.engine.decisions import AlarmName, Rule
from wgfo.engine.events import OverrideKind, RequestKind
from wgfo.engine.report import GroupState
from wgfo.model import PathName, PathState, ProbeClass, ProviderName, TableName
from wgfo.plugin.values import Duration
from wgfo.simulate.plan import (
    FOREVER_US,
    Ask,
    Content,
    DiskState,
    Fault,
    FaultKind,
    LeasePlan,
    Mishap,
    MishapKind,
    Plan,
    Platform,
    Rewrite,
    Trouble,
    TroubleKind,
)

DEFAULT_AT: Final = Duration.parse("60s")
PROVIDERS: Final = {"aws": ("rtb-1", "rtb-2", "rtb-3", "rtb-4", "rtb-5"), "linux": ("main",)}
LONGEST_US: Final = 400 * 86_400_000_000


def _duration(text: str) -> Any:
    return Field(default=Duration.parse(text))


def _bounded(value: Duration) -> Duration:
    if value.us > LONGEST_US:
        raise ValueError(f"'{value}' is too long; accepted: 400d or less")
    return value


Names = Annotated[tuple[Name, ...], Some]
Texts = Annotated[tuple[Text, ...], Some]
Least = Annotated[int, Field(strict=True, ge=0)]


class Span(Section):
    """What begins at ``at`` and ends at ``until``, or after ``for``; without either it stays."""

    at: Duration = DEFAULT_AT
    until: Duration | None = None
    lasts: Positive | None = Field(default=None, alias="for")
    every: Positive | None = None
    """Again after so long, counted from the last beginning …"""
    times: Count = 1
    """… so many times in all."""

    @model_validator(mode="after")
    def _one_end(self) -> Span:
        if self.until is not None and self.lasts is not None:
            raise ValueError("until and for; accepted: one of them")
        if self.until is not None and self.until <= self.at:
            raise ValueError(f"until {self.until} is not after at {self.at}; accepted: a later time")
        if self.times > 1 and (self.every is None or self.end_us >= FOREVER_US):
            raise ValueError("times without an end; accepted: every, and until or for")
        return self

    @property
    def end_us(self) -> int:
        """When it ends the first time."""
        if self.lasts is not None:
            return self.at.us + self.lasts.us
        return FOREVER_US if self.until is None else self.until.us

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield beginning and end of each time."""
        for number in range(self.times):
            shift_us = number * self.every.us if self.every is not None else 0
            yield self.at.us + shift_us, min(FOREVER_US, self.end_us + shift_us)


class FaultSection(Span):
    """``[[fault]]``: something is wrong between here and the hosts behind the far gateways."""

    kind: FaultKind
    paths: Names | None = None
    """None: all of them."""
    percent: Percent = 100
    targets: Texts | None = None
    classes: Names | None = None
    by: Duration = _duration("0s")
    code: Text = "no_carrier"

    def faults(self, paths: tuple[str, ...]) -> Iterator[Fault]:
        """Yield the plan's faults."""
        for start_us, end_us in self.spans():
            yield Fault(
                self.kind,
                start_us,
                end_us,
                tuple(PathName(path) for path in self.paths or paths),
                self.percent,
                self.targets,
                None if self.classes is None else tuple(ProbeClass(one) for one in self.classes),
                self.by.us,
                self.code,
            )


class TableSection(Span):
    """``[[table]]``: a platform misbehaves (``kind``), or somebody else writes (``rewrite``)."""

    kind: TroubleKind | None = None
    rewrite: Text | None = None
    """A path, ``foreign`` or ``absent``."""
    provider: Name | None = None
    tables: Texts | None = None
    by: Duration = _duration("0s")
    retry_after: Duration = _duration("0s")
    percent: Percent = 100

    @model_validator(mode="after")
    def _one_thing(self) -> TableSection:
        if (self.kind is None) == (self.rewrite is None):
            raise ValueError("kind and rewrite; accepted: exactly one of them")
        return self

    @property
    def _where(self) -> tuple[ProviderName | None, tuple[TableName, ...] | None]:
        provider = None if self.provider is None else ProviderName(self.provider)
        return provider, None if self.tables is None else tuple(TableName(one) for one in self.tables)

    def troubles(self) -> Iterator[Trouble]:
        """Yield the plan's troubles."""
        if self.kind is None:
            return
        provider, tables = self._where
        for start_us, end_us in self.spans():
            yield Trouble(
                self.kind,
                start_us,
                end_us,
                provider,
                tables,
                self.by.us,
                self.retry_after.us,
                self.percent,
            )

    def rewrites(self) -> Iterator[Rewrite]:
        """Yield the plan's rewrites."""
        if self.rewrite is None:
            return
        provider, tables = self._where
        for number in range(self.times):
            at_us = self.at.us + number * (self.every.us if self.every is not None else 0)
            yield Rewrite(at_us, PathName(self.rewrite), provider, tables)

    @property
    def end_us(self) -> int:
        """A rewrite is done at once."""
        return self.at.us if self.rewrite is not None else super().end_us


class OperatorSection(Section):
    """``[[operator]]``: somebody asks for something."""

    at: Duration = DEFAULT_AT
    request: RequestKind
    path: Name | None = None
    lasts: Positive | None = Field(default=None, alias="for")
    reason: Text = "test"
    kind: OverrideKind | None = None
    """For ``clear``."""

    def ask(self) -> Ask:
        """Return the plan's request."""
        path = None if self.path is None else PathName(self.path)
        for_us = None if self.lasts is None else self.lasts.us
        return Ask(self.at.us, self.request, path, for_us, self.reason, self.kind)


class DaemonSection(Section):
    """``[[daemon]]``: a mishap of the process or of its machine."""

    at: Duration = DEFAULT_AT
    kind: MishapKind
    lasts: Duration = Field(default=Duration(0), alias="for")
    forward: Duration = _duration("0s")
    backward: Duration = _duration("0s")
    disk: DiskState = DiskState.FULL
    writes: Count | None = None
    step: Count | None = None

    def mishap(self) -> Mishap:
        """Return the plan's mishap."""
        by_us = self.forward.us - self.backward.us
        return Mishap(self.kind, self.at.us, self.lasts.us, by_us, self.disk, self.writes, self.step)


class LeaseSection(Section):
    """``[lease]``: a store, and a rival."""

    ttl: Positive = _duration("10s")
    rival: Name | None = None


class PlatformSection(Section):
    """``[platform.NAME]``: how a provider's platform works while nothing is wrong."""

    read: Duration = _duration("60ms")
    write: Duration = _duration("120ms")
    visibility: Duration = _duration("0s")
    late_write: Duration = _duration("0s")
    parallel: Count = 4

    def platform(self) -> Platform:
        """Return the plan's platform."""
        return Platform(self.read.us, self.write.us, self.visibility.us, self.late_write.us, self.parallel)


class Expectation(Section):
    """``[[expect]]``: one statement about the run. Exactly one subject, and what is said of it."""

    # subjects
    switch: Name | None = None
    """A switch to this path happens."""
    switches: Least | None = None
    """So many switches happen in all."""
    group: GroupState | None = None
    """The group is in this state at ``at``."""
    desired: Name | None = None
    """This path is desired at ``at``."""
    path: Name | None = None
    """This path is, becomes, or never becomes, a state."""
    alarm: AlarmName | None = None
    """This alarm is raised (or, with ``count = 0``, never)."""
    tables: Name | None = None
    """Every table is on this path by ``by``, and stays there until ``until``."""
    writes: Least | None = None
    """So many routes are written, at most."""
    answer: RequestKind | None = None
    """This request is answered."""
    requests: Texts | None = None
    """These tables get at most ``count`` requests that write."""

    # what is said
    within: Positive | None = None
    of: Duration | None = None
    """What ``within`` counts from; the first fault, where there is one."""
    after: Duration = _duration("0s")
    before: Duration | None = None
    at: Duration | None = None
    by: Duration | None = None
    until: Duration | None = None
    count: Least | None = None
    rule: Rule | None = None
    reason: tuple[Text, ...] = ()
    """All of these stand in the text."""
    cleared: Duration | None = None
    page: Flag | None = None
    state: PathState | None = None
    never: PathState | None = None
    to: Name | None = None
    only: Texts | None = None
    accepted: Flag | None = None
    median: tuple[Duration, Duration] | None = None
    """Over the seeds, the median of the switch's delay lies in this band."""
    at_least: Percent = 100
    """In so many of a hundred seeds."""

    @model_validator(mode="after")
    def _one_subject(self) -> Expectation:
        found = [name for name in SUBJECTS if getattr(self, name) is not None]
        if len(found) != 1:
            names = ", ".join(SUBJECTS)
            raise ValueError(
                f"{len(found)} subjects ({', '.join(found) or 'none'}); accepted: one of {names}"
            )
        missing = [name for name in NEEDED.get(found[0], ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(
                f"{found[0]} without {missing[0]}; accepted: {found[0]} with {', '.join(missing)}"
            )
        return self

    @property
    def subject(self) -> str:
        """Return what it is about."""
        return next(name for name in SUBJECTS if getattr(self, name) is not None)


SUBJECTS: Final = (
    "switch",
    "switches",
    "group",
    "desired",
    "path",
    "alarm",
    "tables",
    "writes",
    "answer",
    "requests",
)
NEEDED: Final = {
    "group": ("at",),
    "desired": ("at",),
    "tables": ("by",),
    "requests": ("count",),
    "answer": ("accepted",),
}


class Scenario(Section):
    """A whole file, ``[group]`` apart."""

    name: Text
    about: str = ""
    duration: Annotated[Positive, AfterValidator(_bounded)] = Duration.parse("10m")
    seed: Count = 1
    seeds: Count = 1
    paths: Names = ("A", "B")
    targets: tuple[Text, ...] = ("t1", "t2", "t3")
    classes: Names = ("small",)
    providers: dict[Name, Texts] = Field(default_factory=lambda: dict(PROVIDERS))
    """Each with its tables."""
    prefixes: Count = 1
    """In each table."""
    reference: Flag = True
    service: Flag = False
    rtt: Duration = _duration("3ms")
    begin: Text = "A"
    """What stands in the tables: a path, ``absent`` or ``foreign``."""
    lease: LeaseSection | None = None
    platform: dict[Name, PlatformSection] = Field(default_factory=dict)
    fault: tuple[FaultSection, ...] = ()
    table: tuple[TableSection, ...] = ()
    operator: tuple[OperatorSection, ...] = ()
    daemon: tuple[DaemonSection, ...] = ()
    expect: tuple[Expectation, ...] = ()

    def plan(self) -> Plan:
        """Return what happens."""
        lease = self.lease
        return Plan(
            self.duration.us,
            tuple(fault for section in self.fault for fault in section.faults(self.paths)),
            tuple(trouble for section in self.table for trouble in section.troubles()),
            tuple(rewrite for section in self.table for rewrite in section.rewrites()),
            tuple(section.ask() for section in self.operator),
            tuple(section.mishap() for section in self.daemon),
            None
            if lease is None
            else LeasePlan(lease.ttl.us, None if lease.rival is None else PathName(lease.rival)),
            {ProviderName(name): section.platform() for name, section in self.platform.items()},
            begin_of(self.begin),
            self.rtt.us,
        )


def begin_of(word: str) -> PathName | Content:
    """Return what a table begins with."""
    return Content(word) if word in set(Content) else PathName(word)

"""The schema of ``wgfo.toml``: frozen, unknown keys refused.

What a plugin owns is kept as extra keys, which :mod:`wgfo.config.resolve` hands to the plugin's own model.

References between sections are checked in :mod:`wgfo.config.checks`, and never by a model: a model sees one
section, and its errors must not hide those of others.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wgfo.config.values import (
    Address,
    BindText,
    Count,
    Device,
    Fall,
    File,
    Flag,
    Interval,
    Listen,
    Name,
    Percent,
    Points,
    Positive,
    PublicKey,
    Size,
    Some,
    TargetName,
    Text,
    Url,
)
from wgfo.engine.policy import Act, Drift
from wgfo.plugin.values import Duration


def _duration(text: str) -> Any:
    return Field(default=Duration.parse(text))


class Section(BaseModel):
    """A section all of whose keys are wgfo's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginSection(BaseModel):
    """A section whose other keys are a plugin's options."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that the core does not know."""
        return dict(self.model_extra or {})


class Tls(Section):
    """``[daemon.tls]``."""

    cert: File
    key: File
    client_ca: File | None = None


class JournalLimits(Section):
    """``[daemon.journal]``: what bounds the journal."""

    max_size: Size = 256 << 20
    max_age: Positive = _duration("30d")


class Daemon(Section):
    """``[daemon]``, and ``[site.NAME.daemon]``, where only what is written overrides."""

    state_dir: File = Path("/var/lib/wgfo")
    control: File = Path("/run/wgfo/control.sock")
    http: Listen | None = None
    textfile: File | None = None
    reference: tuple[Address, ...] = ()
    operators: Text | None = None
    webhook_token_file: File | None = None
    tls: Tls | None = None
    journal: JournalLimits = JournalLimits()


class Site(Section):
    """``[site.NAME]``: a vantage."""

    hosts: tuple[Text, ...] = ()
    providers: tuple[Name, ...] | None = None
    """Instances or kinds whose routes this site moves; None: all."""
    reference: tuple[Address, ...] | None = None
    daemon: Daemon = Daemon()


class Provider(PluginSection):
    """``[provider.NAME]``: an instance."""

    kind: Name | None = None
    deadline: Positive = _duration("20s")
    parallel: Count | None = None


class Loss(Section):
    """``detect.loss``."""

    percent: Percent = 20
    window: Positive = _duration("20s")
    margin: Points = 10
    confirm: Duration = _duration("10s")


class Recover(Section):
    """``detect.recover``."""

    percent: Points = 2
    window: Positive = _duration("100s")


class Latency(Section):
    """``detect.latency``."""

    median: Positive | None = None
    window: Positive = _duration("20s")
    act: Flag = False


class Detect(Section):
    """``[….detect]``: what makes a path down, degraded and good again."""

    fall: Fall = 3
    rise: Count = 10
    class_fall: Fall = 5
    loss: Loss = Loss()
    recover: Recover = Recover()
    latency: Latency = Latency()


class MaxMoves(Section):
    """``damping.max_moves``: the bound on voluntary moves."""

    count: Count = 6
    window: Positive = _duration("1h")


class Damping(Section):
    """``[….damping]``, in the terms of RFC 2439."""

    half_life: Positive = _duration("15m")
    suppress: Count = 2000
    reuse: Count = 750
    max_moves: MaxMoves = MaxMoves()


class Settings(Section):
    """What a group and a profile both may set; only what is written counts when they are merged."""

    revertive: Flag = True
    wait_to_restore: Duration = _duration("5m")
    hold_off: Duration = _duration("0s")
    drift: Drift = Drift.REPAIR
    reconcile: Positive = _duration("30s")
    settle: Duration = _duration("5s")
    detect: Detect = Detect()
    damping: Damping = Damping()


class Sight(Section):
    """How one site sees a path: ``[group.path.at.SITE]``, or flat in ``[[group.path]]``."""

    interface: Device | None = None
    peer: Address | None = None
    public_key: PublicKey | None = None
    bind: BindText | None = None
    targets: dict[TargetName, Text] = {}


class GroupPath(Sight):
    """``[[group.path]]``."""

    name: Name
    at: dict[Name, Sight] | None = None


class Probe(PluginSection):
    """``[[group.probe]]``: applied to every path, through that path."""

    kind: Name
    targets: tuple[Text, ...] = ()
    interval: Interval = _duration("1s")
    timeout: Positive | None = None
    sites: tuple[Name, ...] | None = None
    fall: Fall | None = None
    act: Act | None = None
    probe_class: Name | None = Field(default=None, alias="class")


class Route(PluginSection):
    """``[[group.route]]``."""

    provider: Name
    tables: Annotated[tuple[Text, ...], Some]
    prefixes: tuple[Text, ...] = ()
    prefixes_file: File | None = None
    next_hop: dict[Name, Text]
    adopt: Flag = False


class Service(PluginSection):
    """``[[group.service]]``: follows the real route, unbound."""

    kind: Name
    targets: Annotated[tuple[Text, ...], Some]
    interval: Interval = _duration("1s")
    timeout: Positive | None = None
    sites: tuple[Name, ...] | None = None
    fall: Fall = 3


class Leader(Section):
    """``follow.leader``."""

    site: Name
    url: Url
    token_file: File | None = None


class Follow(Section):
    """``[group.follow]``: this group's halves are decided once."""

    leader: Leader
    lost_after: Positive = _duration("3s")
    lost: Literal["own", "stay"] = "own"


class Group(Settings):
    """``[[group]]``."""

    name: Name
    profile: Name | None = None
    path: Annotated[tuple[GroupPath, ...], Some]
    probe: tuple[Probe, ...] = ()
    route: tuple[Route, ...] = ()
    service: tuple[Service, ...] = ()
    follow: Follow | None = None


class LeaseSection(PluginSection):
    """``[lease]``."""

    kind: Name = "none"
    ttl: Positive = _duration("10s")


class Occasion(StrEnum):
    """What ``[[notify]]`` may be told of: a switch, the alarms, a freeze."""

    SWITCH = "switch"
    FROZEN = "frozen"
    NO_USABLE_PATH = "no_usable_path"
    REMOTE_DOWN = "remote_down"
    ISOLATED = "isolated"
    PARTIAL = "partial"
    DRIFT = "drift"
    CONTENDED = "contended"
    SHADOWED = "shadowed"
    FOREIGN_ROUTE = "foreign_route"
    ASYMMETRIC = "asymmetric"
    FLAPPING = "flapping"
    FORCED_PATH_DOWN = "forced_path_down"
    BACKGROUND_LOSS = "background_loss"
    JOURNAL = "journal"
    LEASE = "lease"
    SERVICE_DOWN = "service_down"
    CONTACT_LOST = "contact_lost"


class Notify(Section):
    """``[[notify]]``."""

    on: Annotated[tuple[Occasion, ...], Some]
    command: Annotated[tuple[Text, ...], Some] | None = None
    url: Url | None = None
    url_file: File | None = None
    token_file: File | None = None
    timeout: Positive = _duration("10s")


class Config(Section):
    """The whole of ``wgfo.toml``, files of ``include`` merged."""

    include: tuple[Text, ...] = ()
    daemon: Daemon = Daemon()
    site: dict[Name, Site] = {}
    provider: dict[Name, Provider] = {}
    profile: dict[Name, Settings] = {}
    group: tuple[Group, ...] = ()
    lease: LeaseSection = LeaseSection()
    notify: tuple[Notify, ...] = ()

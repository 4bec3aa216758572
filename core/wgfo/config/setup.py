"""What a configuration means for *this* process: plugins chosen, sites resolved, everything parsed.

``resolve()`` of :mod:`wgfo.config.resolve` makes a :class:`Setup` from a validated configuration, the
installed plugins, the site and the ``--provider`` selection. The daemon, ``check``, ``plan`` and the
simulator start from it and never look into the configuration again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from wgfo.engine.policy import EvidenceSource, GroupPolicy, ServicePolicy, StreamPolicy
from wgfo.model import GroupName, PathName, PathView, ProviderName, RouteSet
from wgfo.plugin import ProbeOffer, RouteOffer


@dataclass(frozen=True, slots=True)
class DaemonSetup:
    """The ``[daemon]`` section with the site's and the command line's overrides."""

    state_dir: Path
    control: Path
    http: str | None = None
    """``HOST:PORT``; None for no listener."""
    textfile: Path | None = None
    reference: tuple[str, ...] = ()
    operators: str | None = None
    """Unix group that may send requests that change something."""
    webhook_token_file: Path | None = None
    journal_max_size: int = 256 * 1024 * 1024
    journal_max_age_us: int = 30 * 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class ProviderSetup:
    """A selected provider instance."""

    name: ProviderName
    offer: RouteOffer
    options: BaseModel
    scope: str
    deadline_us: int
    parallel: int | None = None
    """Writes at once, at most; None: what the provider declares."""


@dataclass(frozen=True, slots=True)
class ProbeSetup:
    """One stanza (or default layer) as this site runs it; exactly one of ``stream`` and ``source`` is set."""

    offer: ProbeOffer
    options: BaseModel
    interval_us: int
    timeout_us: int
    stream: StreamPolicy | None = None
    source: EvidenceSource | None = None
    paths: tuple[PathName, ...] = ()
    """The paths through which it runs here, in order of preference."""
    addresses: Mapping[PathName, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """What to probe through each path, in the order of ``stream.targets``."""
    anchors: Mapping[PathName, str] = field(default_factory=dict, hash=False)
    """The anchor to probe with each round; only for streams of the base class."""


@dataclass(frozen=True, slots=True)
class ServiceSetup:
    """A ``[[group.service]]``: follows the real route, unbound."""

    policy: ServicePolicy
    offer: ProbeOffer
    options: BaseModel
    timeout_us: int


@dataclass(frozen=True, slots=True)
class GroupSetup:
    """A group as this process runs it."""

    policy: GroupPolicy
    paths: tuple[PathView, ...]
    probes: tuple[ProbeSetup, ...]
    sets: tuple[RouteSet, ...]
    services: tuple[ServiceSetup, ...] = ()

    @property
    def name(self) -> GroupName:
        """The group's name."""
        return self.policy.name


@dataclass(frozen=True, slots=True)
class NotifySetup:
    """A ``[[notify]]``; exactly one of ``command``, ``url`` and ``url_file`` is set."""

    on: frozenset[str]
    """Occasions: ``switch``, ``frozen``, names of alarms."""
    command: tuple[str, ...] = ()
    url: str | None = None
    url_file: Path | None = None
    token_file: Path | None = None
    timeout_us: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that one process does."""

    site: str | None
    daemon: DaemonSetup
    providers: tuple[ProviderSetup, ...]
    groups: tuple[GroupSetup, ...]
    notices: tuple[str, ...] = ()
    """What the operator should know: kinds kept unread, fewer than two visible paths, trusted addresses."""
    digest: str = ""
    """Of the effective configuration; a journal session names it."""
    effective: Mapping[str, object] = field(default_factory=dict, hash=False)
    """The effective configuration as plain values, for ``config show`` and the journal. No secrets."""
    notify: tuple[NotifySetup, ...] = ()

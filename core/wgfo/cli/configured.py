"""From the shared options to a setup: every command that reads a configuration begins here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wgfo.cli.output import message
from wgfo.config.load import Document, find, load
from wgfo.config.resolve import Overrides, Resolved, explain, resolve_daemon
from wgfo.config.setup import DaemonSetup, Setup
from wgfo.plugin.manager import Registry, discover


@dataclass(frozen=True, slots=True)
class Configured:
    """A configuration that was read and resolved with the installed plugins."""

    document: Document
    registry: Registry
    resolved: Resolved

    @property
    def setup(self) -> Setup:
        """What this process does."""
        return self.resolved.setup


def configure(
    config: Path | None = None,
    site: str | None = None,
    providers: Sequence[str] | None = None,
    overrides: Overrides | None = None,
    *,
    notices: bool = True,
) -> Configured:
    """Read and resolve the configuration that the options name; notices go to standard error.

    Raises :class:`wgfo.config.problems.ConfigProblems` with every mistake.
    """
    document = load(find(config))
    registry = discover()
    resolved = explain(document, registry, site=site, providers=tuple(providers or ()), overrides=overrides)
    for notice in resolved.setup.notices if notices else ():
        message(f"notice: {notice}")
    return Configured(document, registry, resolved)


def configure_client(
    config: Path | None = None,
    site: str | None = None,
    providers: Sequence[str] | None = None,
    overrides: Overrides | None = None,
) -> DaemonSetup:
    """Return the ``[daemon]`` section alone: for commands that only talk to a daemon. No plugin is loaded."""
    document = load(find(config))
    return resolve_daemon(document, site=site, providers=tuple(providers or ()), overrides=overrides)

"""What the schema knows and this version does not serve yet: refused in one plain sentence each.

A part that learns to serve one of these deletes its row here, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from wgfo.config.load import Document
from wgfo.config.models import Config
from wgfo.config.problems import Problem
from wgfo.config.scan import KeyPath


def _follow(config: Config) -> Iterator[KeyPath]:
    for index, group in enumerate(config.group):
        if group.follow is not None:
            yield ("group", index, "follow")


def _lease(config: Config) -> Iterator[KeyPath]:
    if config.lease.kind != "none":
        yield ("lease", "kind")


def _tls(config: Config) -> Iterator[KeyPath]:
    if config.daemon.tls is not None:
        yield ("daemon", "tls")
    for name, site in config.site.items():
        if site.daemon.tls is not None:
            yield ("site", name, "daemon", "tls")


NOT_SERVED: Final[Mapping[str, Callable[[Config], Iterator[KeyPath]]]] = MappingProxyType(
    {
        "[group.follow]": _follow,
        "[lease] with a kind other than none": _lease,
        "[daemon.tls]": _tls,
    }
)
"""The words for it, and where it is used."""


def not_served(document: Document) -> Iterator[Problem]:
    """Yield a problem for everything that is configured and not served."""
    for words, used in NOT_SERVED.items():
        for path in used(document.config):
            yield document.problem(
                path, f"{words} is not served by this version of wgfo yet", hint="remove it"
            )

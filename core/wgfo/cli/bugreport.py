"""``wgfo bugreport``: one archive with what somebody else needs to find a bug, and no secrets."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wgfo.cli.errors import CliError
from wgfo.cli.options import ConfigOption, ControlOption, ProviderOption, SiteOption, StateDirOption
from wgfo.cli.output import message

if TYPE_CHECKING:
    from wgfo.cli.bugreport_parts import Part
    from wgfo.cli.bugreport_secrets import Scrubber
    from wgfo.config.load import Document
    from wgfo.config.resolve import Overrides, Resolved
    from wgfo.config.setup import DaemonSetup
    from wgfo.config.source import Node
    from wgfo.plugin.manager import Registry

_README: Final = """\
A bug report of wgfo. Look through it before you send it.

Taken out: values of keys that are named like secrets, what the files hold that the configuration names, values of
environment variables that are named like secrets, paths of webhooks, arguments of commands, and whatever looks like
a key, a token or a password. Left in: addresses, prefixes, names of hosts, interfaces, tables, groups and paths.
"""
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The archive; else wgfo-bugreport-TIME.tar.gz here."),
]


@dataclass(frozen=True, slots=True)
class _Read:
    """The configuration, as far as it can be read."""

    registry: Registry
    document: Document | None = None
    daemon: DaemonSetup | None = None
    resolved: Resolved | None = None
    problem: str = ""


def bugreport(
    *,
    output: OutputOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
    state_dir: StateDirOption = None,
    control: ControlOption = None,
) -> None:
    """Write one archive for a bug report: configuration, status, history, journal, plugins, host facts.

    Secrets are taken out; look through it before you send it. What cannot be had says why. Changes nothing else.
    """
    from wgfo.config.resolve import Overrides

    read = _read(config, site, tuple(provider or ()), Overrides(state_dir=state_dir, control=control))
    scrub = _scrubber(read)
    place = output or Path(f"wgfo-bugreport-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz")
    _write(place, {name: _text(part, scrub) for name, part in _parts(read)})
    typer.echo(place)
    message("look through it before you send it: addresses and names are left in")


def _read(config: Path | None, site: str | None, providers: tuple[str, ...], overrides: Overrides) -> _Read:
    """A configuration that is wrong is what a report may be about."""
    from wgfo.config.load import find, load
    from wgfo.config.resolve import explain, resolve_daemon
    from wgfo.plugin.errors import WgfoError
    from wgfo.plugin.manager import discover

    registry = discover()
    document = daemon = None
    try:
        document = load(find(config))
        daemon = resolve_daemon(document, site=site, providers=providers, overrides=overrides)
        resolved = explain(document, registry, site=site, providers=providers, overrides=overrides)
        return _Read(registry, document, daemon, resolved)
    except WgfoError as error:
        return _Read(registry, document, daemon, problem=str(error))


def _scrubber(read: _Read) -> Scrubber:
    from wgfo.cli.bugreport_secrets import scrubber

    files = _files(read.document)
    folders = dict.fromkeys([Path(), *(one.parent for one in files)])
    return scrubber({str(one): _raw(one) for one in files}, folders, os.environ)


def _files(document: Document | None) -> list[Path]:
    if document is None or document.path is None:
        return []
    named = (one.origin.file for one in _nodes(document.root) if one.origin is not None)
    return sorted({document.path, *(Path(one) for one in named if one)})


def _raw(file: Path) -> Mapping[str, object]:
    """Return what stands in a file, mistakes included: the document has lost what is wrong."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for below in (*(node.table or {}).values(), *(node.items or ())):
        yield from _nodes(below)


def _parts(read: _Read) -> Iterator[tuple[str, Part]]:
    from wgfo.cli import bugreport_parts as parts
    from wgfo.cli.client import Client

    yield "README.txt", lambda: _README
    yield "versions.json", lambda: parts.versions(read.registry)
    yield "plugins.json", lambda: parts.plugins(read.registry)
    if read.problem:
        yield "problems.txt", lambda: read.problem
    if read.document is not None:
        yield "config.json", read.document.root.raw
    if read.resolved is not None:
        effective = read.resolved.effective
        yield "effective.json", lambda: dict(effective.mapping())
        yield "origins.json", lambda: {key: one.origin for key, one in effective.settings.items()}
    if read.daemon is not None:
        daemon, client = read.daemon, Client(read.daemon.control)
        for name in ("status", "history", "explain"):
            yield f"{name}.json", parts.of_daemon(client, f"/api/v1/{name}")
        yield "journal.jsonl", lambda: parts.journal(daemon)
    yield "host.txt", lambda: parts.host(read.daemon, read.resolved.setup if read.resolved else None)


def _text(part: Part, scrub: Scrubber) -> str:
    """Make a part and take the secrets out: of its values first, while their keys are known, then of the text."""
    try:
        made = part()
    except Exception as error:  # noqa: BLE001 - the report of a bug must not die of it
        made = f"cannot be had: {type(error).__name__}: {error}\n"
    if isinstance(made, str):
        lines = made.splitlines(keepends=True)
        return "".join(_line(line, scrub) for line in lines)
    return json.dumps(scrub.value(made), indent=1, ensure_ascii=False, default=str) + "\n"


def _line(line: str, scrub: Scrubber) -> str:
    """A line of JSON keeps its keys; the end of the line stays, whatever is taken out."""
    body = line.rstrip("\n")
    if body.startswith("{"):
        try:
            body = json.dumps(scrub.value(json.loads(body)), ensure_ascii=False)
        except ValueError:
            body = scrub.text(body)
    else:
        body = scrub.text(body)
    return f"{body}\n"


def _write(place: Path, files: Mapping[str, str]) -> None:
    root = place.name.removesuffix(".tar.gz")
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as archive:
            for name, text in files.items():
                data = text.encode("utf-8", errors="replace")
                entry = tarfile.TarInfo(f"{root}/{name}")
                entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
                archive.addfile(entry, io.BytesIO(data))
    except FileExistsError:
        raise CliError(f"{place} exists and is left as it is; name another file with --output") from None
    except OSError as error:
        why = error.strerror or error
        raise CliError(f"{place} cannot be written: {why}; name another file with --output") from None

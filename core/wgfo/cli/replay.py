"""``wgfo replay``: decide a journal again, by the recorded rules or by those of another configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wgfo.cli.codes import ExitCode
from wgfo.cli.errors import CliError
from wgfo.cli.options import JsonOption, ProviderOption, SiteOption
from wgfo.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wgfo.daemon.records import Record

JournalArgument = Annotated[
    Path,
    typer.Argument(
        metavar="JOURNAL", help="A state directory, its journal, or one segment.", show_default=False
    ),
]
NewOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="NEW", help="Say what this configuration would have done instead."
    ),
]


def replay(
    journal: JournalArgument,
    *,
    config: NewOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide a journal again, and show where anything differs.

    By the recorded rules every decision must be the same, byte for byte: ends with 0 then, else with 1. With
    --config the recorded evidence is judged by other rules, and the switches of both are shown side by side.
    """
    records = _records(journal)
    if config is None:
        _same(records, as_json=as_json)
    else:
        _other(records, config, site, provider, as_json=as_json)


def _same(records: Iterator[Record], *, as_json: bool) -> None:
    from wgfo.cli.replayed import print_sessions, sessions_json
    from wgfo.daemon.replaying import replay as decide_again

    sessions = decide_again(records)
    if as_json:
        print_json(sessions_json(sessions))
    else:
        print_sessions(sessions)
    if any(one.differences for one in sessions):
        raise typer.Exit(ExitCode.ERROR)


def _other(
    records: Iterator[Record], config: Path, site: str | None, provider: list[str] | None, *, as_json: bool
) -> None:
    from wgfo.cli.configured import configure
    from wgfo.cli.supposed import print_what_if, what_if_json
    from wgfo.daemon.whatif import suppose

    groups = configure(config, site, provider, notices=not as_json).setup.groups
    found = suppose(records, {group.name: group.policy for group in groups})
    if as_json:
        print_json(what_if_json(found))
    else:
        print_what_if(found)


def _records(journal: Path) -> Iterator[Record]:
    """Yield what stands in the journal.

    Raises :class:`CliError` where there is none, or it cannot be read.
    """
    from wgfo.daemon.segments import read_journal
    from wgfo.daemon.stores import journal_directory

    inside = journal_directory(journal)
    empty = True
    try:
        for record in read_journal(inside if inside.is_dir() else journal):
            empty = False
            yield record
    except OSError as error:
        raise CliError(f"{journal}: {error.strerror or error}; {_ACCEPTED}") from None
    if empty:
        raise CliError(f"{journal}: no record of a wgfo is there; {_ACCEPTED}")


_ACCEPTED = (
    "accepted is a state directory ([daemon] state_dir), the journal in it, or one segment journal-….wgfo"
)

"""Every command and option has its entry in the reference, and every entry is real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.repo.tree import ROOT, blocks, documents
from wgfo.cli.main import COMMANDS

PAGE = (ROOT / "docs/reference/cli.md").read_text()


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield the commands without subcommands below ``command``, itself included."""
    children = getattr(command, "commands", {})
    if not children or command.invoke_without_command:
        yield name, command
    for child, sub in children.items():
        yield from leaves(f"{name} {child}", sub)


REAL = dict(leaf for name, command in COMMANDS.items() for leaf in leaves(f"wgfo {name}", command.load(name)))


def described() -> dict[str, str]:
    """Each command's name in a heading, with the text below it."""
    parts = re.split(r"^#{2,3} `(wgfo [^`]+)`$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options(command: Any) -> set[str]:
    """The long options, ``--help`` aside."""
    texts = {text for parameter in command.params for text in parameter.opts}
    return {text for text in texts if text.startswith("--")} - {"--help"}


def test_the_reference_has_every_command_and_no_other() -> None:
    groups = {name.rpartition(" ")[0] for name in REAL}
    assert set(described()) - groups == set(REAL) - groups
    assert set(REAL) <= set(described())


@pytest.mark.parametrize("name", REAL)
def test_the_reference_has_every_option_of_a_command_and_no_other(name: str) -> None:
    rows = re.findall(r"^\| (`--[^|]*)\|", described()[name], re.MULTILINE)
    assert set(re.findall(r"`(--[a-z-]+)`", " ".join(rows))) == options(REAL[name])


def test_documents_call_only_commands_that_exist() -> None:
    called = {
        (str(page.relative_to(ROOT)), words)
        for page in documents()
        for block in blocks(page, "sh")
        for words in re.findall(r"(?:^|-- |/)wgfo((?: [a-z]+)+)", block, re.MULTILINE)
    }
    known = {name.removeprefix("wgfo") for name in REAL}
    unknown = {
        (page, words) for page, words in called if not any(f"{words} ".startswith(f"{one} ") for one in known)
    }
    assert called
    assert unknown == set()

"""Commands that are imported when they are invoked: ``wgfo --help`` imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is: ``module:attribute``, a function or a :class:`typer.Typer` with subcommands."""

    where: str
    help: str
    """One line for ``wgfo --help``; the full help is the command's own docstring."""

    def load(self, name: str) -> Any:
        """Import the module and make the command."""
        module, _, attribute = self.where.partition(":")
        found = getattr(import_module(module), attribute)
        app = found if isinstance(found, typer.Typer) else _alone(name, found)
        command = typer.main.get_command(app)
        command.name = name
        return command


def new_app(text: str, **settings: Any) -> typer.Typer:
    """Make a Typer with the settings that all of wgfo's share."""
    settings.setdefault("no_args_is_help", True)
    return typer.Typer(
        help=text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


def _alone(name: str, function: Callable[..., Any]) -> typer.Typer:
    app = new_app("", no_args_is_help=False)
    app.command(name)(function)
    return app


class _Stub(TyperCommand):
    """Stands in a help page for a command that is not imported."""

    def __init__(self, name: str, command: Command) -> None:
        super().__init__(name, help=command.help, rich_markup_mode=None)
        self.command = command


class LazyGroup(TyperGroup):
    """A group whose commands stand in ``table``."""

    table: ClassVar[Mapping[str, Command]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, command in self.table.items():
            self.add_command(_Stub(name, command), name)

    def resolve_command(self, *args: Any, **named: Any) -> Any:
        """Import the command that was named."""
        name, command, rest = super().resolve_command(*args, **named)
        if isinstance(command, _Stub):
            command = command.command.load(str(name))
        return name, command, rest

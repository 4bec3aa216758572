"""Errors that end with an exit code of their own; every other :class:`WgfoError` ends with 1."""

from __future__ import annotations

from typing import ClassVar

from wgfo.cli.codes import ExitCode
from wgfo.plugin.errors import WgfoError


class CliError(WgfoError):
    """A command that cannot do what was asked."""

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR


class Unreachable(CliError):
    """No daemon answers; the text names the socket or URL and how to start one."""

    exit_code = ExitCode.UNREACHABLE


class Refused(CliError):
    """The daemon refused a request by policy; the text names the rule."""

    exit_code = ExitCode.REFUSED


class Misnamed(CliError):
    """The command line names what the daemon does not have, or asks what makes no sense there."""

    exit_code = ExitCode.USAGE

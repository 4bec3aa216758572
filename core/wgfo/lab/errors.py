"""What can go wrong with a lab; every text ends with what to do next."""

from __future__ import annotations

from wgfo.plugin.errors import WgfoError


class LabError(WgfoError):
    """A lab cannot do what was asked; the text is for the user."""


class MissingRequirements(LabError):
    """This machine lacks tools, rights or kernel features; the text lists all, each with its remedy."""


class CommandFailed(LabError):
    """A command inside the lab failed; the text holds the command and its own words."""


class NotPossible(LabError):
    """This machine cannot make this fault; others work."""

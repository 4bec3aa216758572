"""What a way to deliver is, and how it fails."""

from __future__ import annotations

from typing import Protocol


class NotDelivered(Exception):
    """A message did not arrive.

    The text bears no secret: neither a URL's path nor a token.
    """

    def __init__(self, text: str, *, again: bool) -> None:
        super().__init__(text)
        self.again = again
        """Whether another try may help and does no harm."""


class Channel(Protocol):
    """Delivers one message at a time; the caller bounds how long it may take, and cancels it."""

    @property
    def kind(self) -> str:
        """``command`` or ``webhook``: a label of the metric."""

    @property
    def name(self) -> str:
        """What the log calls it; without secrets."""

    async def deliver(self, body: bytes) -> None:
        """Deliver a JSON object, or raise :class:`NotDelivered`."""

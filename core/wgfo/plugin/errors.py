"""What a plugin may raise.

    WgfoError
    ├── ConfigError              the options cannot work; the text says what is accepted
    └── PluginError
        ├── ProbeError           a probe cannot run at all (a lost packet is no error)
        ├── LeaseError           the store of a lease cannot be reached or refuses
        └── ProviderError
            ├── Transient        try again; may carry ``retry_after_ms``
            ├── Denied           rights are missing: permanent until someone grants them
            ├── NotFound         the table, the network, the device is not there
            ├── Unsupported      the platform cannot do this
            ├── Conflict         the route is no longer what was observed
            ├── OutcomeUnknown   it may or may not have happened: observe before the next write
            └── Withdrawn        the permit lapsed (newer epoch, deadline, lease): not attempted

No SDK exception leaves a plugin, and no secret stands in a text.
"""

from __future__ import annotations

from typing import ClassVar

from wgfo.model import FailureKind


class WgfoError(Exception):
    """The root of everything that wgfo raises on purpose; ``str()`` is a sentence for the operator."""


class ConfigError(WgfoError):
    """Options that cannot work; the text says what was found and what is accepted."""


class PluginError(WgfoError):
    """Something that a plugin could not do."""


class ProbeError(PluginError):
    """A probe cannot run at all: no right to open a socket, no such device."""


class LeaseError(PluginError):
    """The store of a lease cannot be reached, or refuses."""


class ProviderError(PluginError):
    """A request to a route provider failed; ``kind`` decides what may be done next.

    ``retry_after_ms`` is for the whole account, unless ``busy``: then the platform has work under way on this
    table alone, and the others go on.
    """

    kind: ClassVar[FailureKind] = FailureKind.TRANSIENT

    def __init__(self, text: str, *, retry_after_ms: int | None = None, busy: bool = False) -> None:
        super().__init__(text)
        self.retry_after_ms = retry_after_ms
        self.busy = busy


class Transient(ProviderError):
    """Try again, after ``retry_after_ms`` where the platform names it."""


class Denied(ProviderError):
    """Rights are missing; permanent until someone grants them."""

    kind = FailureKind.DENIED


class NotFound(ProviderError):
    """The table, network or device does not exist."""

    kind = FailureKind.NOT_FOUND


class Unsupported(ProviderError):
    """The platform cannot do what was asked."""

    kind = FailureKind.UNSUPPORTED


class Conflict(ProviderError):
    """The route is no longer what was observed: observe again."""

    kind = FailureKind.CONFLICT


class OutcomeUnknown(ProviderError):
    """The write may or may not have happened: observe before the next one."""

    kind = FailureKind.UNKNOWN


class Withdrawn(ProviderError):
    """The permit lapsed before the request was sent; the rest is not attempted."""

    kind = FailureKind.WITHDRAWN

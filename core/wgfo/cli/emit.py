"""``wgfo emit``: files made from *this* configuration. Each kind is a module ``emit_*`` and one row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from wgfo.cli.emit_monitoring import alertmanager, dashboard, rules
from wgfo.cli.emit_permissions import permissions
from wgfo.cli.emit_systemd import systemd
from wgfo.cli.lazy import new_app

EMITTERS: Final[Mapping[str, Callable[..., None]]] = MappingProxyType(
    {
        "rules": rules,
        "alertmanager": alertmanager,
        "dashboard": dashboard,
        "systemd": systemd,
        "permissions": permissions,
    }
)
"""In the order of ``wgfo emit --help``. Each prints one file on standard output; see :mod:`.emitting`."""

app = new_app("")
for _name, _emitter in EMITTERS.items():
    app.command(_name)(_emitter)


@app.callback()
def _emit() -> None:
    """Print a file that is made from this configuration."""

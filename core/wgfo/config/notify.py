"""From ``[[notify]]`` to what the daemon delivers by."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from wgfo.config.effective import DEFAULT, Layer
from wgfo.config.models import Notify
from wgfo.config.setup import NotifySetup
from wgfo.config.work import Work


def notify_setups(work: Work) -> tuple[NotifySetup, ...]:
    """Return every notification of the configuration; what is wrong with them is found by the checks."""
    return tuple(_setup(work, index, one) for index, one in enumerate(work.document.config.notify))


def _setup(work: Work, index: int, one: Notify) -> NotifySetup:
    _note(work, index, one)

    def beside(file: Path | None, key: str) -> Path | None:
        return None if file is None else work.document.beside(file, ("notify", index, key))

    return NotifySetup(
        frozenset(one.on),
        one.command or (),
        one.url,
        beside(one.url_file, "url_file"),
        beside(one.token_file, "token_file"),
        one.timeout.us,
    )


def _note(work: Work, index: int, one: Notify) -> None:
    section = Layer(one, ("notify", index))
    for key in Notify.model_fields:
        value = _shown(key, getattr(one, key))
        if value is not None:
            origin = work.effective.origin(section, key) if key in one.model_fields_set else DEFAULT
            work.effective.note(f"notify.{index + 1}.{key}", value, origin)


def _shown(key: str, value: object) -> object:
    """Many a webhook's URL and many a command's argument is a secret: effective values hold none."""
    if key == "url" and isinstance(value, str):
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.hostname}/…"
    if key == "command" and isinstance(value, tuple):
        return [value[0], *(["…"] if value[1:] else [])]
    return value

"""What may not leave the machine in a bug report, and how it is taken out.

Three nets, one behind the other: values of keys that are named like a secret; the very secrets that the
configuration's files and this environment hold, wherever they turn up; and whatever looks like one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from wgfo.daemon.guard import hide

REDACTED: Final = "[redacted]"
SHORTEST: Final = 4
"""What is shorter is hidden by its key alone: as text it would be found in every other word."""
SHORTEST_OF_ENVIRONMENT: Final = 8
"""Variables are many, and most of them hold plain words."""
_NAMED: Final = re.compile(
    r"(?i)(^|[_\-.])(password|passwd|pass|secret|token|api[_\-]?key|access[_\-]?key|private[_\-]?key|preshared[_\-]?key"
    r"|key|credential|credentials|authorization|auth|cookie)s?$"
)
_PUBLIC: Final = frozenset({"public_key"})
_SECRET_FILE: Final = re.compile(r"(?i)(^|[_\-.])(\w+_file|key|cert_key)$")
_PLAIN_FILE: Final = frozenset({"prefixes_file"})
_ENVIRONMENT: Final = re.compile(r"(?i)(key|token|secret|passw|credential|auth)")
_LONGEST: Final = 1 << 20
"""Bytes of a file that are looked at for secrets."""


def named_like_a_secret(key: str) -> bool:
    """Whether the value of a key is hidden, whatever it is."""
    return _NAMED.search(key) is not None and _last(key) not in _PUBLIC


@dataclass(frozen=True, slots=True)
class Scrubber:
    """Takes secrets out of texts and values."""

    secrets: tuple[str, ...] = ()
    """The longest first: one may be part of another."""

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self.secrets:
            text = text.replace(secret, REDACTED)
        return hide(text)

    def value(self, value: object, key: str = "") -> object:
        """Return a JSON-able value without secrets; ``key`` is what it stands under."""
        if value is not None and value != "" and named_like_a_secret(key):
            return REDACTED
        match value:
            case Mapping():
                return {self.text(str(name)): self.value(one, str(name)) for name, one in value.items()}
            case list() | tuple():
                shown = [self.value(one) for one in value]
                return [*shown[:1], *([REDACTED] * (len(shown) > 1))] if _last(key) == "command" else shown
            case str():
                return self.text(_host_alone(value) if _last(key) == "url" else value)
            case _:
                return value


def _last(key: str) -> str:
    """Return ``fall`` of ``group.cloud.detect.fall``."""
    return key.rpartition(".")[2]


def _host_alone(url: str) -> str:
    """A webhook's path and query are its password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return REDACTED
    rest = f"/{REDACTED}" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{rest}" if parts.scheme else url


def scrubber(config: Mapping[str, object], folders: Iterable[Path], environ: Mapping[str, str]) -> Scrubber:
    """Return a scrubber that knows the secrets of a configuration, of its files and of an environment.

    Args:
        config: the raw values of the configuration, of all its files.
        folders: where a relative file of it may stand.
        environ: variables; the values of those that are named like a secret are secrets.
    """
    places = list(folders)
    found = set(_long(_of_config(config, places), SHORTEST))
    named = [value for name, value in environ.items() if _ENVIRONMENT.search(name)]
    found.update(_long((one for value in named for one in _inside(value)), SHORTEST_OF_ENVIRONMENT))
    found |= {json.dumps(one)[1:-1] for one in found}
    return Scrubber(tuple(sorted(found, key=lambda one: (-len(one), one))))


def _of_config(config: Mapping[str, object], folders: Iterable[Path]) -> Iterator[str]:
    for key, value in _leaves(config):
        if _SECRET_FILE.search(key) and key not in _PLAIN_FILE:
            for folder in folders:
                yield from _pieces(_of_file(folder / value))
        if named_like_a_secret(key):
            yield from _inside(value)
        if key == "command" and not value.startswith("/"):
            yield from (
                word for word in (value, value.partition("=")[2]) if len(word) >= SHORTEST_OF_ENVIRONMENT
            )
        yield from _of_url(key, value)


def _of_url(key: str, text: str) -> Iterator[str]:
    """Yield a URL's password, and the path of a webhook."""
    try:
        parts = urlsplit(text)
        password = parts.password
    except ValueError:
        return
    if password:
        yield password
    if key == "url" and len(parts.path) > SHORTEST_OF_ENVIRONMENT:
        yield parts.path.lstrip("/")
        yield parts.path.rpartition("/")[2]


def _inside(value: str) -> Iterator[str]:
    """Yield a secret's own text, or that of the file which it names, whose place is no secret."""
    texts = list(_of_file(Path(value))) if "/" in value else []
    return _pieces(texts or ([] if value.startswith("/") else [value]))


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts, their lines, and what their lines assign."""
    for text in texts:
        yield text
        for line in text.splitlines():
            yield line
            yield re.split(r"[=:]", line, maxsplit=1)[-1].strip(" \t\"',")


def _long(texts: Iterable[str], shortest: int) -> Iterator[str]:
    return (text.strip() for text in texts if len(text.strip()) >= shortest)


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for name, one in value.items():
                yield from _leaves(one, str(name))
        case list() | tuple():
            for one in value:
                yield from _leaves(one, key)
        case str():
            yield key, value


def _of_file(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8", errors="replace")
    except OSError:
        return
    yield text

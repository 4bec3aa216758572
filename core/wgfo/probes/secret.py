"""Secrets of one line, from files; they appear in no message, log or repr."""

from __future__ import annotations

import hmac
import stat
from pathlib import Path
from typing import Final

from wgfo.plugin import ConfigError

MAX_BYTES: Final = 4_096


class Secret:
    """A line that nobody may see."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def is_(self, offered: str) -> bool:
        """Whether that is the secret; takes as long for a near miss as for a far one."""
        return hmac.compare_digest(self._text.encode(), offered.encode(errors="surrogateescape"))

    def reveal(self) -> str:
        """Return the line, to be sent and not to be shown."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


def read_secret(path: Path, what: str) -> Secret:
    """Read the file's one line; ``what`` names the key of the configuration.

    Raises:
        ConfigError: it cannot be read, everyone may read it, or it is not one line of text.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{what} {path}: {error.strerror or error}; write one line there, for instance with "
            f"openssl rand -hex 32, and let the user that runs wgfo read it"
        ) from None
    if mode & stat.S_IROTH:
        raise ConfigError(f"{what} {path} can be read by everyone; run: chmod o-r {path}")
    return Secret(_line(path, what, data))


def _line(path: Path, what: str, data: bytes) -> str:
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > MAX_BYTES or not text.isprintable():
        raise ConfigError(
            f"{what} {path}: accepted is one line of printable ASCII, at most {MAX_BYTES} bytes"
        )
    return text

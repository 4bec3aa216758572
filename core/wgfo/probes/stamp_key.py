"""The key of STAMP's authenticated mode, from a file; it appears in no message, log or repr."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path
from typing import Final

from wgfo.plugin import ProbeError

MIN_BYTES: Final = 16
"""A shorter key is easier to guess than the digest that it makes."""
MAX_BYTES: Final = 4096
_HEX: Final = b"hex:"
_MAKE_ONE: Final = "openssl rand -hex 32 makes a good one"


class Key:
    """Octets that both ends share."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def digest(self, data: bytes) -> bytes:
        """Return the HMAC-SHA-256 of ``data``, whole."""
        return hmac.digest(self._octets, data, hashlib.sha256)

    def __repr__(self) -> str:
        return "Key(…)"


def read_key(path: Path) -> Key:
    """Read a key: the file's one line as it is, or the octets that ``hex:`` before it names.

    Raises:
        ProbeError: it cannot be read, everyone may read it, or it holds no key; says what to do.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ProbeError(
            f"key file {path}: {error.strerror}; write the same secret at both ends ({_MAKE_ONE}) and let "
            "the user that runs wgfo read it"
        ) from None
    if mode & stat.S_IROTH:
        raise ProbeError(f"key file {path} can be read by everyone; run: chmod o-r {path}")
    return Key(_octets(path, text))


def _octets(path: Path, text: bytes) -> bytes:
    line = text.removesuffix(b"\n").removesuffix(b"\r")
    if len(text) > MAX_BYTES or b"\n" in line:
        raise ProbeError(f"key file {path} holds more than one line; accepted: one line with the key")
    try:
        octets = bytes.fromhex(line.removeprefix(_HEX).decode()) if line.startswith(_HEX) else line
    except ValueError:
        raise ProbeError(f"key file {path} begins with hex: and then has no hexadecimal octets") from None
    if len(octets) < MIN_BYTES:
        raise ProbeError(
            f"key file {path} holds {len(octets)} octets; accepted: at least {MIN_BYTES} ({_MAKE_ONE})"
        )
    return octets

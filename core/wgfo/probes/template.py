"""``{group}`` and ``{path}`` in the texts of probes that ask others about a path."""

from __future__ import annotations

import re
from typing import Final

from wgfo.model import PathView

_FIELD: Final = re.compile(r"\{([A-Za-z_]+)\}")
_KNOWN: Final = frozenset({"group", "path"})


def filled(text: str, path: PathView) -> str:
    """Return the text for one path; other braces stay as they are (PromQL has them)."""
    return text.replace("{group}", path.group).replace("{path}", path.name)


def known_fields(text: str) -> str:
    """Return the text, or raise ``ValueError`` where it names a field that there is not."""
    for name in _FIELD.findall(text):
        if name not in _KNOWN:
            raise ValueError(f"{text!r} names {{{name}}}; accepted: {{group}} and {{path}}")
    return text

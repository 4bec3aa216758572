"""Templates to HTML. Everything that is shown is escaped; a name that a template does not know is an error."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from wgfo.daemon.page import words
from wgfo.daemon.page.charts import HEIGHT
from wgfo.telemetry.trends import SLICES

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files beside the page, with their types; there are no others."""


@cache
def static_file(name: str) -> bytes:
    """Return one of the files of :data:`STATIC`."""
    return resources.files("wgfo.daemon.page").joinpath("static", name).read_bytes()


@cache
def stamp() -> str:
    """Return what is another text when any file is another: browsers keep them for good under that name."""
    return hashlib.sha256(b"".join(map(static_file, STATIC))).hexdigest()[:12]


@cache
def _environment() -> Environment:
    """Load jinja2 when the first page is asked for: most hosts are only ever scraped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - see above

    made = Environment(
        loader=PackageLoader("wgfo.daemon.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "level": words.level,
        "words": words.words,
        "percent": words.percent,
        "duration": words.duration,
        "clock": words.clock,
    }
    made.globals |= {"columns": SLICES, "height": HEIGHT}
    return made


def rendered(template: str, **values: object) -> str:
    """Return a template with values, as text that other templates take unescaped."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    return Markup(_environment().get_template(f"{template}.html.j2").render(**values))  # noqa: S704 - escaped by the template

"""Writes of which nobody knows whether they will still land, and how they are kept from it.

A request that got no answer names the etag on which it depends. As long as the route still has this etag, the
request may land, hours later if need be, and undo what was decided since. So the set is shown with residue, and
the next ``point`` writes the route once more, even where it stands right: that changes the etag, and the old
request is refused (412) whenever it comes.
"""

from __future__ import annotations

from wgfo_azure.config import TableRef
from wgfo_azure.routes import Route, Table


class Unsettled:
    """The etags that writes without an answer depend on, by table and route."""

    def __init__(self) -> None:
        self._etags: dict[tuple[TableRef, str], str] = {}

    def add(self, table: TableRef, route: Route | None) -> None:
        """A write of a route ended in the unknown; one that made a new route cannot undo anything."""
        if route is not None:
            self._etags[table, route.name] = route.etag

    def remove(self, table: TableRef, name: str) -> None:
        """A later write of the route was carried out."""
        self._etags.pop((table, name), None)

    def may_land(self, table: TableRef, route: Route) -> bool:
        """Whether an old write of this route may still land on what was just read."""
        return self._etags.get((table, route.name)) == route.etag

    def look(self, table: Table) -> None:
        """Forget what a fresh read has settled: the route has another etag, or is gone."""
        for key, etag in list(self._etags.items()):
            ref, name = key
            if ref == table.ref and not any(
                route.name == name and route.etag == etag for route in table.routes
            ):
                del self._etags[key]

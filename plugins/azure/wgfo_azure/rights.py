"""The rights that the provider needs, as a custom role for ``az role definition create``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from wgfo.model import RouteSet
from wgfo_azure.config import AzureOptions, TableRef

ACTIONS: Final = (
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/routeTables/routes/read",
    "Microsoft.Network/routeTables/routes/write",
)
"""All that a switch takes: the table itself is never written, and no route is ever deleted."""
CHECK_ACTION: Final = "Microsoft.Network/networkInterfaces/read"
"""For ``wgfo doctor`` alone, at the subscription: finds the appliance's interface by its address."""


_DESCRIPTION_MOST: Final = 1_900
"""Azure admits 2,048 characters."""


def table_id(subscription: str, table: TableRef) -> str:
    """Return the full id of a route table."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{table.group}"
        f"/providers/Microsoft.Network/routeTables/{table.name}"
    )


def custom_role(sets: Sequence[RouteSet], options: AzureOptions) -> str:
    """Return a custom role, with the tables at which (and nowhere above) it is to be assigned.

    Azure lets a role be *defined* for resource groups at the least; its assignment limits it to a table.
    """
    tables = sorted({TableRef.of(route_set.table) for route_set in sets}, key=str)
    subscription = f"/subscriptions/{options.subscription_id}"
    groups = [f"{subscription}/resourceGroups/{group}" for group in sorted({one.group for one in tables})]
    role = {
        "Name": "wgfo route failover",
        "IsCustom": True,
        "Description": _description([table_id(options.subscription_id, one) for one in tables]),
        "Actions": list(ACTIONS),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": groups or [subscription],
    }
    return json.dumps(role, indent=2) + "\n"


def _description(tables: Sequence[str]) -> str:
    text = "Points single routes at another next hop. Assign it at these route tables only:"
    for number, table in enumerate(tables):
        if len(text) + len(table) > _DESCRIPTION_MOST:
            return f"{text} and {len(tables) - number} more"
        text = f"{text} {table}"
    return text

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


def table_id(subscription: str, table: TableRef) -> str:
    """Return the full id of a route table."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{table.group}"
        f"/providers/Microsoft.Network/routeTables/{table.name}"
    )


def custom_role(sets: Sequence[RouteSet], options: AzureOptions) -> str:
    """Return a custom role, and the commands that assign it to exactly the tables of these sets."""
    tables = sorted({str(TableRef.of(route_set.table)) for route_set in sets})
    groups = sorted({table.partition("/")[0] for table in tables})
    subscription = f"/subscriptions/{options.subscription_id}"
    role = {
        "Name": "wgfo route failover",
        "IsCustom": True,
        "Description": "Points single routes of route tables at another next hop",
        "Actions": list(ACTIONS),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": [f"{subscription}/resourceGroups/{group}" for group in groups] or [subscription],
    }
    return json.dumps(role, indent=2) + "\n"


def assignments(sets: Sequence[RouteSet], options: AzureOptions) -> tuple[str, ...]:
    """Return the scopes to which the role is assigned: the tables, nothing above them."""
    tables = sorted({str(TableRef.of(route_set.table)) for route_set in sets})
    return tuple(table_id(options.subscription_id, TableRef(*table.split("/"))) for table in tables)

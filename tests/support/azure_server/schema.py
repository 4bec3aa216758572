"""What the SDK's own models and operations say of a request: its fields, which are required, the API's version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.mgmt.network import models
from azure.mgmt.network.operations._operations import build_routes_get_request

_READ = ["read"]


def _api_version() -> str:
    request = build_routes_get_request("g", "t", "r", "s")
    return parse_qs(urlsplit(request.url).query)["api-version"][0]


API_VERSION = _api_version()
HOP_TYPES = frozenset(one.value for one in models.RouteNextHopType)
NAME = re.compile(r"[A-Za-z0-9]([\w.-]{0,78}\w)?", re.ASCII)


def _fields(model: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the JSON names that may be written and those that are read only."""
    known: Mapping[str, Any] = model({})._attr_to_rest_field
    read_only = frozenset(one._rest_name for one in known.values() if one._visibility == _READ)
    return frozenset(one._rest_name for one in known.values()) - read_only, read_only


ROUTE_FIELDS, _ROUTE_READ_ONLY = _fields(models.Route)
PROPERTY_FIELDS, READ_ONLY_PROPERTIES = _fields(models.RoutePropertiesFormat)


def complaint(body: object, held: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the body of a route; None where it is right.

    ``held`` are the properties that the route has: what the platform itself has shown it takes back.
    """
    if not isinstance(body, dict):
        return "the body is no object"
    unknown = set(body) - ROUTE_FIELDS - _ROUTE_READ_ONLY
    if unknown:
        return f"Could not find member '{min(unknown)}' on object of type 'Route'"
    properties = body.get("properties")
    if not isinstance(properties, dict):
        return "Required property 'properties' is missing"
    unknown = set(properties) - PROPERTY_FIELDS - set(held)
    if unknown:
        return f"Could not find member '{min(unknown)}' on object of type 'RoutePropertiesFormat'"
    written = set(properties) & READ_ONLY_PROPERTIES
    if written:
        return f"'{min(written)}' is read only"
    return _hop_complaint(properties)


def _hop_complaint(properties: Mapping[str, Any]) -> str | None:
    kind, address = properties.get("nextHopType"), properties.get("nextHopIpAddress")
    if not properties.get("addressPrefix"):
        return "Required property 'addressPrefix' is missing"
    if kind not in HOP_TYPES:
        return f"nextHopType {kind!r} is not one of {sorted(HOP_TYPES)}"
    if (kind == "VirtualAppliance") != bool(address):
        return "nextHopIpAddress is required with VirtualAppliance, and only allowed there"
    if properties.get("nextHop") and kind != "VirtualApplianceEcmp":
        return "nextHop is only allowed with VirtualApplianceEcmp"
    return None

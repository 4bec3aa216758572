"""The discovery document of the Compute Engine API as a judge of requests.

Paths, verbs, query parameters, patterns and the shape of bodies come from Google's own document, not from what the
provider happens to send.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = "discovery_cache/documents/compute.v1.json"
BASE: Final = "/compute/v1/"
COLLECTIONS: Final = (
    *("routes", "globalOperations", "networks", "instances", "forwardingRules", "vpnTunnels"),
    *("subnetworks", "projects"),
)
_JSON: Final = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "number": float,
}


class Refused(Exception):
    """A request that Google would refuse."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status, self.reason, self.text = status, reason, text


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the API."""

    id: str
    verb: str
    pattern: re.Pattern[str]
    parameters: Mapping[str, Any]
    body: str
    """Name of the schema of the request's body; empty if it has none."""


@functools.cache
def document() -> Mapping[str, Any]:
    spec = importlib.util.find_spec("googleapiclient")
    assert spec is not None, "google-api-python-client is missing: pip install -e 'plugins/gcp[dev]'"
    assert spec.submodule_search_locations
    text = (Path(spec.submodule_search_locations[0]) / DOCUMENT).read_text()
    found: Mapping[str, Any] = json.loads(text)
    return found


@functools.cache
def methods() -> tuple[Method, ...]:
    return tuple(_methods())


def _methods() -> Iterator[Method]:
    for name in COLLECTIONS:
        for found in document()["resources"][name]["methods"].values():
            path = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", found["path"])
            body = found.get("request", {}).get("$ref", "")
            pattern = re.compile(BASE + path)
            yield Method(found["id"], found["httpMethod"], pattern, found.get("parameters", {}), body)


def match(verb: str, path: str, query: Mapping[str, str]) -> tuple[Method, dict[str, str]]:
    """Return the method that a request means, and its path's parts.

    Raises:
        Refused: there is none, or a parameter is not as the document says.
    """
    for method in methods():
        found = method.pattern.fullmatch(path)
        if found and method.verb == verb:
            _parameters(method, found.groupdict(), query)
            return method, found.groupdict()
    raise Refused(404, "notFound", f"no method of the API is {verb} {path}")


def _parameters(method: Method, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    common = document()["parameters"]
    for name, value in [*parts.items(), *query.items()]:
        spec = method.parameters.get(name, common.get(name))
        if spec is None:
            raise Refused(400, "invalidParameter", f"{method.id} has no parameter {name!r}")
        if not re.fullmatch(spec.get("pattern", ".*"), value, re.DOTALL):
            raise Refused(400, "invalidParameter", f"Invalid value {value!r} for {name!r}")
        if spec["type"] == "integer" and not value.isdigit():
            raise Refused(400, "invalidParameter", f"Invalid value {value!r} for {name!r}")


def check_body(method: Method, body: object) -> dict[str, Any]:
    """Hold a body against its schema: known fields, types, patterns, those required, none that are output only.

    Raises:
        Refused: it is not as the document says.
    """
    schema = document()["schemas"][method.body]
    _object(body, schema, method.body)
    assert isinstance(body, dict)
    for name, spec in schema["properties"].items():
        if method.id in spec.get("annotations", {}).get("required", ()) and name not in body:
            raise Refused(400, "required", f"Required field {name!r} not specified")
        if spec.get("readOnly") and name in body:
            raise Refused(400, "invalid", f"{name!r} is output only")
    return body


def check_answer(schema: str, body: object) -> None:
    """Hold an answer of the stand-in against its schema: it is as strict with itself."""
    _object(body, document()["schemas"][schema], schema)


def _object(value: object, schema: Mapping[str, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise Refused(400, "invalid", f"{where} is no object")
    for name, inner in value.items():
        spec = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if spec is None:
            raise Refused(400, "invalid", f"Unknown name {name!r} at {where!r}: Cannot find field.")
        _value(inner, spec, f"{where}.{name}")


def _value(value: object, spec: Mapping[str, Any], where: str) -> None:
    if "$ref" in spec:
        _object(value, document()["schemas"][spec["$ref"]], where)
        return
    kind = _JSON[spec["type"]]
    if not isinstance(value, kind) and not (kind is float and isinstance(value, int)):
        raise Refused(400, "invalid", f"Invalid value at {where!r}: {value!r} is no {spec['type']}")
    if isinstance(value, str) and not re.fullmatch(spec.get("pattern", ".*"), value, re.DOTALL):
        raise Refused(400, "invalid", f"Invalid value for field {where!r}: {value!r}")
    if isinstance(value, str) and "enum" in spec and value not in spec["enum"]:
        raise Refused(400, "invalid", f"Invalid value at {where!r}: {value!r}")
    if isinstance(value, list):
        for one in value:
            _value(one, spec["items"], where)
    if isinstance(value, dict):
        _object(value, spec, where)

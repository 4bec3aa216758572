"""Pydantic's errors in the operator's words: what was found, what is accepted, what was probably meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wgfo.config.problems import Problem, did_you_mean, listed
from wgfo.config.scan import KeyPath
from wgfo.config.source import Node, where

_ACCEPTED: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "bool_type": lambda _: "true or false",
    "bool_parsing": lambda _: "true or false",
    "dict_type": lambda _: "a table",
    "enum": lambda context: str(context["expected"]).replace("'", '"'),
    "float_type": lambda _: "a number",
    "greater_than": lambda context: f"more than {context['gt']}",
    "greater_than_equal": lambda context: f"{context['ge']} or more",
    "int_from_float": lambda _: "a whole number",
    "int_parsing": lambda _: "a whole number",
    "int_type": lambda _: "a whole number",
    "less_than": lambda context: f"less than {context['lt']}",
    "less_than_equal": lambda context: f"{context['le']} or less",
    "list_type": lambda _: "a list",
    "literal_error": lambda context: str(context["expected"]).replace("'", '"'),
    "model_type": lambda _: "a table",
    "path_type": lambda _: "a path as text",
    "string_too_short": lambda _: "text that is not empty",
    "string_type": lambda _: "text",
    "too_short": lambda context: f"a list of {context['min_length']} or more",
    "tuple_type": lambda _: "a list",
}
_FOUND_MAX: Final = 60


def problem_at(root: Node, path: KeyPath, found: str, accepted: str = "", hint: str = "") -> Problem:
    """Make a problem of a place in the tree."""
    return Problem(root.origin_of(path), where(root, path), found, accepted, hint)


def translate(
    root: Node, base: KeyPath, model: type[BaseModel], error: ValidationError, known: Iterable[str] = ()
) -> list[tuple[KeyPath, Problem]]:
    """Turn each of pydantic's errors into a problem and its path in the tree.

    ``base`` is where the validated section stands; ``known`` are keys that are accepted there beside the
    model's own.
    """
    found = []
    for details in error.errors(include_url=False):
        path = (*base, *(part for part in details["loc"] if part != "[key]"))
        found.append((path, _one(root, path, details, [*known_keys(model, details["loc"][:-1]), *known])))
    return found


def _one(root: Node, path: KeyPath, details: ErrorDetails, known: list[str]) -> Problem:
    match details["type"]:
        case "extra_forbidden":
            return unknown_key(root, path, known)
        case "missing":
            return problem_at(root, path, "missing", hint="add it")
        case "value_error":
            text, _, accepted = str(details["ctx"]["error"]).partition("; accepted: ")
            return problem_at(root, path, text, accepted)
        case kind:
            say = _ACCEPTED.get(kind)
            accepted = say(details.get("ctx", {})) if say else details["msg"]
            return problem_at(root, path, f"found {shown(details['input'])}", accepted)


def unknown_key(root: Node, path: KeyPath, known: Iterable[str]) -> Problem:
    """Make the problem of a key that nobody knows."""
    names = list(known)
    return problem_at(root, path, "unknown key", listed(names), did_you_mean(str(path[-1]), names))


def shown(value: Any) -> str:
    """Return a value as it stands in TOML, cut short."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = str(value)
    return text if len(text) <= _FOUND_MAX else text[: _FOUND_MAX - 1] + "…"


def known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the schema knows in the table at ``path`` below ``model``."""
    annotation: Any = model
    for part in path:
        annotation = _below(_plain(annotation), part)
    plain = _plain(annotation)
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return [info.alias or name for name, info in plain.model_fields.items()]
    return []


def _below(annotation: Any, part: str | int) -> Any:
    """Return the annotation of a key or an index of what is annotated so."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {info.alias or name: info.annotation for name, info in annotation.model_fields.items()}
        return fields.get(str(part))
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if arguments else None


def _plain(annotation: Any) -> Any:
    """Take off ``Annotated`` and ``| None``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        members = [member for member in get_args(annotation) if member is not type(None)]
        is_optional = type(None) in get_args(annotation) and len(members) == 1
        if not is_optional:
            return annotation
        annotation = members[0]

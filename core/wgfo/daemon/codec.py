"""Events, decisions and what they hold, as JSON-able values and back, byte for byte.

Driven by the fields of the frozen dataclasses; the plan of a type is made once and kept:

    ============================  =====================================================
    type                          JSON
    ============================  =====================================================
    str, int, bool, None          itself (floats do not exist here)
    bytes                         hexadecimal text
    enum                          its value
    dataclass                     object: its fields
    one of several dataclasses    the same object with ``"type": CLASS NAME``
    tuple of one type             array
    frozenset                     sorted array
    mapping with text keys        object
    ============================  =====================================================

Decoding is strict: an unknown or missing field, another type, an unknown enum value or class name is a
:class:`CodecError` that names the place. Newer fields with a default may be missing, so that an older journal
can be read.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Final, TypeVar, cast, get_args, get_origin

from wgfo.plugin.errors import WgfoError

T = TypeVar("T")
Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
Encode = Callable[[object], Json]
Decode = Callable[[object, str], object]
TAG: Final = "type"


class CodecError(WgfoError):
    """Stored text is not what this version writes; says where, what was found and what is accepted."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one type is written and read."""

    encode: Encode
    decode: Decode


def encode(value: object, as_type: object) -> Json:
    """Return ``value`` as plain JSON values; ``as_type`` is its annotation, such as ``Event``."""
    return _plan(as_type).encode(value)


def decode(data: object, as_type: type[T], where: str = "value") -> T:
    """Return the value that ``data`` stands for; for a union's alias see :func:`decode_any`.

    Raises:
        CodecError: ``data`` is something else; ``where`` begins the place that the text names.
    """
    return cast("T", decode_any(data, as_type, where))


def decode_any(data: object, as_type: object, where: str = "value") -> object:
    """Return the value that ``data`` stands for, of any annotation (a union, a mapping)."""
    return _plan(as_type).decode(data, where)


def dumps(data: Json) -> bytes:
    """Return the canonical text: sorted keys, no spaces, UTF-8. Equal values give equal bytes."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def loads(text: bytes, where: str = "text") -> Json:
    """Return the values of a JSON text.

    Raises:
        CodecError: it is no JSON text in UTF-8, or it holds a fraction.
    """
    try:
        return cast("Json", json.loads(text, parse_float=_refuse, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise CodecError(f"{where}: no JSON text: {error}") from None


def _refuse(text: str) -> Json:
    raise ValueError(f"{text} is no integer")


# --- plans --------------------------------------------------------------------------------------------------


@cache
def _plan(as_type: object) -> _Plan:
    """Return the plan of an annotation."""
    while isinstance(as_type, typing.NewType):
        as_type = as_type.__supertype__
    origin = get_origin(as_type)
    if origin in {types.UnionType, typing.Union}:
        return _union(get_args(as_type))
    if origin is not None:
        return _container(origin, as_type)
    if not isinstance(as_type, type):
        raise TypeError(f"no codec for {as_type!r}")
    return _scalar(as_type)


def _scalar(as_type: type) -> _Plan:
    if as_type in {str, int, bool, types.NoneType}:
        return _Plan(_itself, _exactly(as_type))
    if as_type is bytes:
        return _Plan(lambda value: cast("bytes", value).hex(), _bytes)
    if issubclass(as_type, Enum):
        return _enum(as_type)
    if is_dataclass(as_type):
        return _record(as_type)
    raise TypeError(f"no codec for {as_type!r}")


def _container(origin: object, as_type: object) -> _Plan:
    args = get_args(as_type)
    if origin is tuple and len(args) == 2 and args[1] is ...:  # noqa: PLR2004 - tuple[X, ...]
        return _sequence(args[0], tuple, ordered=True)
    if origin is frozenset:
        return _sequence(args[0], frozenset, ordered=False)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(args[0], args[1])
    raise TypeError(f"no codec for {as_type!r}")


def _itself(value: object) -> Json:
    return cast("Json", value)


def _exactly(as_type: type) -> Decode:
    def decode(data: object, where: str) -> object:
        if type(data) is not as_type:  # a bool is an int to isinstance
            raise CodecError(f"{where}: found {data!r}, accepted is {as_type.__name__}")
        return data

    return decode


def _bytes(data: object, where: str) -> object:
    try:
        return bytes.fromhex(cast("str", data))
    except (TypeError, ValueError):
        raise CodecError(f"{where}: found {data!r}, accepted is hexadecimal text") from None


def _enum(as_type: type[Enum]) -> _Plan:
    members = {member.value: member for member in as_type}

    def decode(data: object, where: str) -> object:
        if not isinstance(data, str) or data not in members:
            raise CodecError(f"{where}: found {data!r}, accepted are {', '.join(map(str, members))}")
        return members[data]

    return _Plan(lambda value: cast("Enum", value).value, decode)


def _sequence(item: object, make: Callable[[list[object]], object], *, ordered: bool) -> _Plan:
    plan = _plan(item)

    def encode(value: object) -> Json:
        items = [plan.encode(one) for one in cast("tuple[object, ...]", value)]
        return items if ordered else sorted(items, key=dumps)

    def decode(data: object, where: str) -> object:
        if not isinstance(data, list):
            raise CodecError(f"{where}: found {data!r}, accepted is an array")
        return make([plan.decode(one, f"{where}[{index}]") for index, one in enumerate(data)])

    return _Plan(encode, decode)


def _mapping(key: object, item: object) -> _Plan:
    keys, plan = _plan(key), _plan(item)

    def encode(value: object) -> Json:
        pairs = cast("Mapping[object, object]", value).items()
        return {cast("str", keys.encode(name)): plan.encode(one) for name, one in pairs}

    def decode(data: object, where: str) -> object:
        if not isinstance(data, dict):
            raise CodecError(f"{where}: found {data!r}, accepted is an object")
        return {keys.decode(name, where): plan.decode(one, f"{where}.{name}") for name, one in data.items()}

    return _Plan(encode, decode)


# --- records and unions -------------------------------------------------------------------------------------


def _record(as_type: type) -> _Plan:
    """Plan a dataclass. Its fields are planned at first use: the classes may name each other."""
    stored = [one for one in fields(as_type) if one.init]  # the others follow from these
    required = {one.name for one in stored if _required(one)}

    @cache
    def plans() -> dict[str, _Plan]:
        hints = typing.get_type_hints(as_type)
        return {one.name: _plan(hints[one.name]) for one in stored}

    def encode(value: object) -> Json:
        return {name: plan.encode(getattr(value, name)) for name, plan in plans().items()}

    def decode(data: object, where: str) -> object:
        if not isinstance(data, dict):
            raise CodecError(f"{where}: found {data!r}, accepted is an object ({as_type.__name__})")
        _check_names(data.keys(), required, plans().keys(), where)
        known = plans()
        return as_type(**{name: known[name].decode(one, f"{where}.{name}") for name, one in data.items()})

    return _Plan(encode, decode)


def _required(one: Field[object]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _check_names(
    found: typing.KeysView[str], required: set[str], known: typing.KeysView[str], where: str
) -> None:
    if unknown := sorted(found - known):
        raise CodecError(f"{where}: unknown field {unknown[0]!r}; accepted are {', '.join(known)}")
    if missing := sorted(required - found):
        raise CodecError(f"{where}: field {missing[0]!r} is missing")


def _union(members: tuple[object, ...]) -> _Plan:
    """Plan ``X | None``, or one of several dataclasses told apart by their names."""
    others = tuple(one for one in members if one is not types.NoneType)
    plan = _plan(others[0]) if len(others) == 1 else _tagged(others)
    return plan if len(others) == len(members) else _optional(plan)


def _optional(plan: _Plan) -> _Plan:
    return _Plan(
        lambda value: None if value is None else plan.encode(value),
        lambda data, where: None if data is None else plan.decode(data, where),
    )


def _tagged(members: tuple[object, ...]) -> _Plan:
    classes = {
        one.__name__: (one, _plan(one)) for one in members if isinstance(one, type) and is_dataclass(one)
    }
    if len(classes) != len(members):
        raise TypeError(f"no codec for a union of {members}: only dataclasses can be told apart")

    def encode(value: object) -> Json:
        name = type(value).__name__
        return {TAG: name, **cast("dict[str, Json]", classes[name][1].encode(value))}

    def decode(data: object, where: str) -> object:
        name = data.get(TAG) if isinstance(data, dict) else None
        if not isinstance(data, dict) or name not in classes:
            raise CodecError(f"{where}: found {data!r}, accepted is an object of type {', '.join(classes)}")
        return classes[name][1].decode({key: one for key, one in data.items() if key != TAG}, where)

    return _Plan(encode, decode)

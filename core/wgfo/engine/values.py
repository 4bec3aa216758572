"""Values: a copy of a frozen value with some fields changed; the engine's most frequent act.

``dataclasses.replace`` looks at every field's description and runs ``__init__``, which for a frozen class sets
each field by a call. Here the copy is a *draft* first, an object of a class with the same slots that is not
frozen, filled by a function that is written once for each class; then it becomes what it is a copy of. The same
result in a fraction of the time. It is for the engine's own classes, which are slotted and do nothing in
``__init__`` but to set their fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from dataclasses import replace
else:
    T = TypeVar("T")
    _DRAFTED: Final[dict[type, Callable[[Any], Any]]] = {}
    """A cache: what it holds of a class is the same whoever asks first."""

    def replace(value: T, /, **changes: Any) -> T:
        """Return a copy with other values in some fields; an unknown name is an AttributeError."""
        kind = type(value)
        copy = (_DRAFTED.get(kind) or _drafted(kind))(value)
        for name, item in changes.items():
            setattr(copy, name, item)
        copy.__class__ = kind
        return copy

    def _drafted(kind: type) -> Callable[[Any], Any]:
        """Return a function that makes a draft of a value of this class, as ``dataclasses`` makes ``__init__``."""
        draft = type(f"{kind.__name__}Draft", (), {"__slots__": kind.__slots__})
        lines = [f"    copy.{name} = value.{name}" for name in kind.__slots__]
        source = "\n".join(["def drafted(value):", "    copy = draft()", *lines, "    return copy"])
        made: dict[str, Any] = {"draft": draft}
        exec(source, made)  # noqa: S102 - the names of a class's own slots, nothing else
        _DRAFTED[kind] = made["drafted"]
        return made["drafted"]


__all__ = ["replace"]

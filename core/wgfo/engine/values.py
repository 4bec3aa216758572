"""Values: a copy of a frozen value with some fields changed; the engine's most frequent act.

``dataclasses.replace`` looks at every field's description and runs ``__init__`` each time. Here the slots are read
and set by descriptors that are looked up once for each class: the same result in less than half the time. It is
for the engine's own classes, which are slotted and do nothing in ``__init__`` but to set their fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from dataclasses import replace
else:
    T = TypeVar("T")
    Slot = tuple[str, Callable[[Any], Any], Callable[[Any, Any], None]]
    _SLOTS: Final[dict[type, tuple[Slot, ...]]] = {}
    """A cache: what it holds of a class is the same whoever asks first."""

    def replace(value: T, /, **changes: Any) -> T:
        """Return a copy with other values in some fields; an unknown name is a TypeError."""
        slots = _SLOTS.get(type(value)) or _slots(type(value))
        copy = object.__new__(type(value))
        for name, get, put in slots:
            put(copy, changes.pop(name) if name in changes else get(value))
        if changes:
            raise TypeError(f"{type(value).__name__} has no field {', '.join(changes)}")
        return copy

    def _slots(kind: type) -> tuple[Slot, ...]:
        descriptors = ((name, getattr(kind, name)) for name in kind.__slots__)
        _SLOTS[kind] = tuple((name, one.__get__, one.__set__) for name, one in descriptors)
        return _SLOTS[kind]


__all__ = ["replace"]

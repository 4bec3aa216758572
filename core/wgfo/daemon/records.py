"""What stands in a journal: sessions, steps and gaps, and how they become frames.

A frame is one compressed JSON text with a number that counts within its session: a missing number is a lost
frame. The first frame of a session, and every checkpoint, carries all that a replay needs: the policies and,
at a checkpoint, each group's state. The frames between hold the steps of about a second, in the very order in
which the engine made them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from wgfo.daemon import codec
from wgfo.daemon.codec import CodecError, Json
from wgfo.engine.decisions import Decision
from wgfo.engine.events import Event
from wgfo.engine.policy import GroupPolicy
from wgfo.model import GroupName

MAX_FRAME: Final = 64 * 1024 * 1024
"""No frame of ours is longer, compressed or not; a longer one is damage."""
_HEAD: Final = struct.Struct("<II")
"""Length of the frame, and its CRC-32."""
LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What a session is about; it begins at a start of the daemon or with a changed configuration."""

    session: str
    at_us: int
    """On the session's monotonic clock."""
    wall: str
    """RFC 3339, for people."""
    boot_id: str
    versions: Mapping[str, str]
    """Distribution to version: wgfo and its plugins."""
    digest: str
    """Of the effective configuration."""
    effective: str
    """The effective configuration as a JSON text, without secrets."""
    policies: Mapping[GroupName, GroupPolicy]
    """What decides, so that a replay needs neither the configuration nor its plugins."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session begins, or goes on from a checkpoint."""

    header: SessionHeader
    states: Mapping[GroupName, Json] = field(default_factory=dict)
    """Each group's state as the runtime encoded it, at a checkpoint. At a session's beginning only those of
    groups that a reload left alone; the ``SessionStarted`` of every other group follows."""
    checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class Stepped:
    """One step of the engine."""

    group: GroupName
    event: Event
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Steps are missing here: what follows can be read, but not replayed before the next :class:`Opened`."""

    dropped: int
    """How many; 0 where nobody knows."""
    text: str


Record = Opened | Stepped | Gap


@dataclass(frozen=True, slots=True)
class Frame:
    """What was read from one frame."""

    session: str
    number: int
    records: tuple[Record, ...]


def pack(session: str, number: int, records: Iterable[Record]) -> bytes:
    """Return the frame of these records: length, checksum, compressed text."""
    content: Json = {"session": session, "number": number, "records": [_encode(one) for one in records]}
    body = zlib.compress(codec.dumps(content), LEVEL)
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def unpack(data: bytes, where: str) -> Iterator[Frame]:
    """Yield the whole frames at the beginning of ``data``, and stop at the first that is torn or damaged."""
    at = 0
    while (body := _body(data, at)) is not None:
        try:
            frame = _frame(body, where)
        except (CodecError, zlib.error):
            return
        yield frame
        at += _HEAD.size + len(body)


def _body(data: bytes, at: int) -> bytes | None:
    if len(data) - at < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack_from(data, at)
    body = data[at + _HEAD.size : at + _HEAD.size + length]
    return body if length <= MAX_FRAME and len(body) == length and zlib.crc32(body) == checksum else None


def _frame(body: bytes, where: str) -> Frame:
    unpacker = zlib.decompressobj()
    content = codec.loads(unpacker.decompress(body, MAX_FRAME), where)
    match content:
        case {"session": str(session), "number": int(number), "records": list(records)}:
            return Frame(session, number, tuple(_decode(one, where) for one in records))
        case _:
            raise CodecError(f"{where}: a frame that is none of ours")


def _encode(record: Record) -> Json:
    match record:
        case Stepped(group, event, decisions):
            return [group, codec.encode(event, Event), [codec.encode(one, Decision) for one in decisions]]
        case Gap(dropped, text):
            return {"gap": dropped, "text": text}
        case Opened(header, states, checkpoint):
            return {
                "opened": codec.encode(header, SessionHeader),
                "states": {str(name): state for name, state in states.items()},
                "checkpoint": checkpoint,
            }


def _decode(data: Json, where: str) -> Record:
    match data:
        case [str(group), event, list(decisions)]:
            return Stepped(GroupName(group), _event(event, where), _decisions(decisions, where))
        case {"gap": int(dropped), "text": str(text)}:
            return Gap(dropped, text)
        case {"opened": header, "states": dict(states), "checkpoint": bool(checkpoint)}:
            named = {GroupName(name): state for name, state in states.items()}
            return Opened(codec.decode(header, SessionHeader, where), named, checkpoint)
        case _:
            raise CodecError(f"{where}: a record that is none of ours")


def _event(data: Json, where: str) -> Event:
    return cast("Event", codec.decode_any(data, Event, where))


def _decisions(data: Sequence[Json], where: str) -> tuple[Decision, ...]:
    return tuple(cast("Decision", codec.decode_any(one, Decision, where)) for one in data)

"""Operator requests: what is accepted, what is refused and why.

Decides only whether a request may stand. A request that is accepted changes the selection's overrides; the
rules of ``selection`` then do the rest. Strength: lockout, forced switch, manual switch (ITU-T G.8031); a
planned move (``switch``, ``drain``) is checked first and refused where the destination is not up in all classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wgfo.engine.decisions import Decision, OverrideEnded, OverrideSet, RequestAnswered, Rule
from wgfo.engine.events import OperatorRequest, Override, OverrideKind, RequestKind
from wgfo.engine.selection import Choice, Selection, Situation, frozen_reason, unfit
from wgfo.engine.values import replace
from wgfo.model import PathName, PathState

NEEDS_PATH: Final = frozenset({RequestKind.SWITCH, RequestKind.FORCE, RequestKind.LOCKOUT, RequestKind.DRAIN})


@dataclass(frozen=True, slots=True)
class Answer:
    """The selection after a request, the move that it asks for, and what to announce."""

    selection: Selection
    accepted: bool
    text: str
    choice: Choice | None = None
    decisions: tuple[Decision, ...] = ()
    adopt: bool | None = None
    """Adopt (True) or release (False) the route sets."""
    clear: bool = False
    """Forget brakes as well: the contended hold, the latched service return."""


def answer(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    """Answer a request; the ``RequestAnswered`` is the first of the decisions."""
    wrong = _wrong_path(situation, request)
    reply = _no(selection, wrong) if wrong else HANDLERS[request.kind](situation, selection, request)
    answered = RequestAnswered(situation.now_us, request.request_id, reply.accepted, reply.text)
    return replace(reply, decisions=(answered, *reply.decisions))


def expire(situation: Situation, selection: Selection) -> tuple[Selection, tuple[Decision, ...]]:
    """End the overrides whose time is over."""
    now_us = situation.now_us
    over = tuple(o for o in selection.overrides if o.expires_us is not None and o.expires_us <= now_us)
    return _without(situation, selection, over, "expired") if over else (selection, ())


def end(
    situation: Situation, selection: Selection, kinds: Mapping[OverrideKind, PathName | None], why: str
) -> tuple[Selection, tuple[Decision, ...]]:
    """End the overrides of some kinds; a path limits it to the override of that path."""
    over = tuple(o for o in selection.overrides if o.kind in kinds and kinds[o.kind] in (None, o.path))
    return _without(situation, selection, over, why)


# --- one function a request -------------------------------------------------------------------------------


def _switch(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    path = _path(request)
    why = _planned_obstacle(situation, selection) or _not_fully_up(situation, selection, path)
    if why:
        return _no(selection, f"cannot switch to {path}: {why}")
    after, ended = end(situation, selection, {OverrideKind.MANUAL: None}, "replaced")
    after, made = _with(situation, after, _override(OverrideKind.MANUAL, request))
    choice = None
    if path != selection.desired:
        choice = Choice(Rule.MANUAL, _because(f"manual switch to {path}", request), path)
    return Answer(after, accepted=True, text=f"switching to {path}", choice=choice, decisions=(*ended, *made))


def _force(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    path = _path(request)
    if selection.locked_out(path):
        return _no(selection, f"cannot force {path}: it is locked out; clear the lockout first")
    after, ended = end(
        situation, selection, {OverrideKind.FORCED: None, OverrideKind.MANUAL: None}, "replaced"
    )
    after, made = _with(situation, after, _override(OverrideKind.FORCED, request))
    frozen = frozen_reason(situation, after)
    text = f"forced onto {path}" + (f"; takes effect later: {frozen}" if frozen else "")
    return Answer(after, accepted=True, text=text, decisions=(*ended, *made))


def _lockout(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    path = _path(request)
    if path == selection.desired:
        why = _nothing_else(situation, selection, path, all_classes=False)
        if why:
            return _no(selection, f"cannot lock out {path}, which is active: {why}")
    return _locked(situation, selection, request, None, f"{path} is locked out")


def _drain(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    path = _path(request)
    if path != selection.desired:
        return _locked(situation, selection, request, None, f"{path} carried nothing; it is locked out now")
    why = _planned_obstacle(situation, selection) or _nothing_else(
        situation, selection, path, all_classes=True
    )
    if why:
        return _no(selection, f"cannot drain {path}: {why}")
    target = next(
        other.name
        for other in situation.policy.paths
        if other.name != path and not _not_fully_up(situation, selection, other.name)
    )
    choice = Choice(Rule.DRAIN, _because(f"drain of {path}", request), target)
    return _locked(situation, selection, request, choice, f"draining {path} to {target}")


def _clear(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    kinds = tuple(OverrideKind) if request.clear_kind is None else (request.clear_kind,)
    path = request.path
    after, ended = end(situation, selection, dict.fromkeys(kinds, path), "cleared")
    if request.clear_kind is None:
        after = replace(after, latched=False)
    text = (
        f"cleared {len(ended)} of {len(selection.overrides)}" if ended else "nothing stood; nothing cleared"
    )
    return Answer(after, accepted=True, text=text, decisions=ended, clear=request.clear_kind is None)


def _pause(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    after, ended = end(situation, selection, {OverrideKind.PAUSED: None}, "replaced")
    after, made = _with(situation, after, replace(_override(OverrideKind.PAUSED, request), path=None))
    return Answer(after, accepted=True, text="paused: no decisions and no writes", decisions=(*ended, *made))


def _resume(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    del request
    after, ended = end(situation, selection, {OverrideKind.PAUSED: None}, "resumed")
    return Answer(after, accepted=True, text="resumed" if ended else "was not paused", decisions=ended)


def _adopt(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    del situation, request
    after = replace(selection, released=False)
    return Answer(after, accepted=True, text="the group's routes are ours from now on", adopt=True)


def _release(situation: Situation, selection: Selection, request: OperatorRequest) -> Answer:
    del situation, request
    after = replace(selection, released=True)
    text = "the group's routes stay as they are and are no longer managed; adopt takes them over again"
    return Answer(after, accepted=True, text=text, adopt=False)


HANDLERS: Final[Mapping[RequestKind, Callable[[Situation, Selection, OperatorRequest], Answer]]] = {
    RequestKind.SWITCH: _switch,
    RequestKind.FORCE: _force,
    RequestKind.LOCKOUT: _lockout,
    RequestKind.DRAIN: _drain,
    RequestKind.CLEAR: _clear,
    RequestKind.PAUSE: _pause,
    RequestKind.RESUME: _resume,
    RequestKind.ADOPT: _adopt,
    RequestKind.RELEASE: _release,
}


# --- why not ----------------------------------------------------------------------------------------------


def _wrong_path(situation: Situation, request: OperatorRequest) -> str:
    names = [path.name for path in situation.policy.paths]
    if request.path is None:
        return "name a path: one of " + ", ".join(names) if request.kind in NEEDS_PATH else ""
    if request.path not in names:
        return f"group {situation.policy.name} has no path {request.path!r}; its paths: {', '.join(names)}"
    return ""


def _planned_obstacle(situation: Situation, selection: Selection) -> str:
    """Return why no planned move may be made now."""
    frozen = frozen_reason(situation, selection)
    if frozen:
        return frozen
    forced = selection.override(OverrideKind.FORCED)
    if forced is not None:
        return f"a forced switch onto {forced.path} holds; clear it first"
    if not situation.store_healthy:
        return "the state cannot be stored; mend the disk, or use force"
    if situation.visible < 2:  # noqa: PLR2004 - semantics.md: fewer than two paths, no voluntary move
        return "this site sees fewer than two paths, so the destination cannot be checked"
    return ""


def _not_fully_up(situation: Situation, selection: Selection, path: PathName) -> str:
    """Return why a path is no destination of a planned move: it must be up in all classes."""
    why = unfit(situation, selection, path, None)
    if why:
        return f"it is {why}"
    judged = situation.judgements[path]
    return (
        ""
        if judged.state is PathState.UP
        else f"it is {judged.state}: {judged.fault.reason if judged.fault else ''}"
    )


def _nothing_else(situation: Situation, selection: Selection, path: PathName, *, all_classes: bool) -> str:
    """Return why no other path can take over; empty if one can."""
    reasons = []
    for other in situation.policy.paths:
        if other.name == path:
            continue
        check = (
            _not_fully_up(situation, selection, other.name)
            if all_classes
            else unfit(situation, selection, other.name, None)
        )
        if not check:
            return ""
        reasons.append(f"{other.name}: {check.removeprefix('it is ')}")
    return "no other path is usable" + (f" ({'; '.join(reasons)})" if reasons else "")


# --- overrides come and go --------------------------------------------------------------------------------


def _locked(
    situation: Situation, selection: Selection, request: OperatorRequest, choice: Choice | None, text: str
) -> Answer:
    path = request.path
    stale = {OverrideKind.FORCED: path, OverrideKind.MANUAL: path, OverrideKind.LOCKOUT: path}
    after, ended = end(situation, selection, stale, f"{path} is locked out")
    after, made = _with(situation, after, _override(OverrideKind.LOCKOUT, request))
    return Answer(after, accepted=True, text=text, choice=choice, decisions=(*ended, *made))


def _override(kind: OverrideKind, request: OperatorRequest) -> Override:
    return Override(
        kind,
        request.path,
        request.reason,
        request.by,
        request.since,
        expires_us=request.expires_us,
        expires=request.expires,
    )


def _with(
    situation: Situation, selection: Selection, override: Override
) -> tuple[Selection, tuple[Decision, ...]]:
    after = replace(selection, overrides=(*selection.overrides, override))
    return after, (OverrideSet(situation.now_us, override),)


def _without(
    situation: Situation, selection: Selection, over: tuple[Override, ...], why: str
) -> tuple[Selection, tuple[Decision, ...]]:
    kept = tuple(o for o in selection.overrides if o not in over)
    ended = tuple(OverrideEnded(situation.now_us, override, why) for override in over)
    return replace(selection, overrides=kept), ended


def _path(request: OperatorRequest) -> PathName:
    assert request.path is not None
    return request.path


def _because(text: str, request: OperatorRequest) -> str:
    return f"{text}: {request.reason}" if request.reason else text


def _no(selection: Selection, why: str) -> Answer:
    return Answer(selection, accepted=False, text=why)

"""A lab that outlives the command that made it: up, status, break, heal, down."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from wgfo.lab import state as store
from wgfo.lab.build import Progress, build
from wgfo.lab.enclosure import Enclosure, Founding
from wgfo.lab.errors import LabError
from wgfo.lab.faults import Bench, Injection, parse_fault
from wgfo.lab.requirements import Means, survey
from wgfo.lab.state import LabState, Wound
from wgfo.lab.topology import PathLabel


def quiet(_text: str) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up."""

    name: str

    @property
    def directory(self) -> Path:
        """Where its state, its keys and a demo's files are."""
        return store.directory(self.name)

    @property
    def state(self) -> LabState:
        """Its state as it is now.

        Raises:
            LabError: it is not up, or no more.
        """
        state = store.load(self.name)
        if state is None:
            known = ", ".join(store.names()) or "none"
            raise LabError(
                f"no lab {self.name!r} (there are: {known}); make it with `wgfo lab up --name {self.name}`"
            )
        if not state.enclosure.alive:
            raise LabError(
                f"lab {self.name!r} has crashed; clear it away with `wgfo lab down --name {self.name}`"
            )
        return state

    @property
    def enclosure(self) -> Enclosure:
        """The way into it."""
        return self.state.enclosure

    def bench(self) -> Bench:
        """What faults work on."""
        state = self.state
        return Bench(state.enclosure, self.directory / "keys", state.kernel_wireguard)

    def break_(self, text: str, path: PathLabel | None = None) -> Injection:
        """Inject a fault, given as ``NAME`` or ``NAME=VALUE``.

        Raises:
            LabError: no such fault, it is active already, or this machine cannot make it.
        """
        injection = parse_fault(text, path)
        with store.locked(self.name):
            state = self.state
            if any(_is(wound, injection) for wound in state.wounds):
                raise LabError(
                    f"{injection} is active already; `wgfo lab heal {injection.fault.name}` ends it"
                )
            injection.inject(self.bench())
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            wound = Wound(injection.fault.name, injection.path, injection.value, now)
            store.save(state.with_wounds((*state.wounds, wound)))
        return injection

    def heal(self, name: str | None = None, path: PathLabel | None = None) -> list[Injection]:
        """End the active faults of a name and a path; without them, all. Returns those that were ended."""
        with store.locked(self.name):
            state, bench = self.state, self.bench()
            chosen = [wound for wound in state.wounds if _fits(wound, name, path)]
            if not chosen and name:
                active = ", ".join(wound.fault for wound in state.wounds) or "none"
                raise LabError(f"{name} is not active (active: {active})")
            left = state.wounds
            for wound in chosen:
                _injection(wound).heal(bench)
                left = tuple(one for one in left if one is not wound)
                store.save(state.with_wounds(left))
            for wound in left:
                _injection(wound).renew(bench)
        return [_injection(wound) for wound in chosen]


@contextlib.contextmanager
def founded(name: str, progress: Progress = quiet) -> Iterator[tuple[Lab, Founding]]:
    """Build a lab that ends with this block (or with this process) unless its founding is told to stay.

    Raises:
        MissingRequirements: this machine cannot hold a lab.
        LabError: a lab of this name is up, or the build failed.
    """
    means = survey()
    _clear_for(name)
    with contextlib.ExitStack() as undo:
        place = store.make_directory(name)
        undo.callback(store.remove, name)
        founding = Founding(means, place)
        undo.callback(founding.abandon)
        state = _new_state(name, founding.enclosure, means)
        store.save(state)
        build(founding.enclosure, place / "keys", kernel_wireguard=means.kernel_wireguard, progress=progress)
        store.save(replace(state, ready=True))
        yield Lab(name), founding
        if founding.stayed:
            undo.pop_all()
            founding.close()


def up(name: str, progress: Progress = quiet) -> Lab:
    """Build a lab that stays until ``down``.

    Raises:
        MissingRequirements: this machine cannot hold a lab.
        LabError: a lab of this name is up, or the build failed; nothing is left of it then.
    """
    with founded(name, progress) as (lab, founding):
        founding.stay()
    return lab


def down(name: str) -> bool:
    """End a lab, whole, half-built or crashed, and remove what it left; False when there is none."""
    if not store.directory(name).is_dir():
        return False
    with store.locked(name):
        state = store.load(name)
        if state is not None:
            state.enclosure.end()
        store.remove(name)
    return True


def _clear_for(name: str) -> None:
    """Make room for a new lab: remove a crashed one of the same name, refuse where one is up."""
    state = store.load(name)
    if state is not None and state.enclosure.alive:
        raise LabError(
            f"lab {name!r} is up already; end it with `wgfo lab down --name {name}` or choose another --name"
        )
    down(name)


def _new_state(name: str, enclosure: Enclosure, means: Means) -> LabState:
    return LabState(
        name=name,
        pid=enclosure.pid,
        started=enclosure.started,
        user_namespace=means.user_namespace,
        kernel_wireguard=means.kernel_wireguard,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _injection(wound: Wound) -> Injection:
    path = PathLabel(wound.path) if wound.path else None
    return parse_fault(f"{wound.fault}={wound.value}" if wound.value else wound.fault, path)


def _is(wound: Wound, injection: Injection) -> bool:
    return (wound.fault, wound.path) == (injection.fault.name, injection.path)


def _fits(wound: Wound, name: str | None, path: PathLabel | None) -> bool:
    return name in (None, wound.fault) and path in (None, wound.path)

"""Random worlds: everything that may happen, mixed by a seed, with every invariant checked after every step.

Each world ends in a quiet time in which all trouble is over, long enough for everything to stand again. A seed
that fails makes the same world again, on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from wgfo.config.load import of_mapping
from wgfo.engine.events import OverrideKind, RequestKind
from wgfo.model import LARGE, TCP, PathName, ProviderName, TableName
from wgfo.simulate import twins
from wgfo.simulate.defaults import Shape, configuration
from wgfo.simulate.plan import (
    Ask,
    Content,
    DiskState,
    Fault,
    FaultKind,
    LeasePlan,
    Mishap,
    MishapKind,
    Plan,
    Platform,
    Rewrite,
    Trouble,
    TroubleKind,
)
from wgfo.simulate.play import Options, Run, play
from wgfo.simulate.replays import replay
from wgfo.simulate.timeline import What
from wgfo.simulate.world import World

_S: Final = 1_000_000
QUIET_US: Final = 60 * _S
"""At the end of a world, at most: more than recovery, back-off and settling of the slowest platform together."""
EVERY_REPLAY: Final = 8
"""One world of so many is replayed (I12, I16) …"""
EVERY_COMPARED: Final = 12
"""… and one of so many is played again as its twins are: with its clock unset, with other names (I13, I15)."""
EVERY_LED: Final = 16
"""One of so many has no probes of its own, but an observer that leads."""
PATHS: Final = ("A", "B", "C", "D")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a world went; ``failures`` is empty when all is well."""

    seed: int
    failures: tuple[str, ...]
    switches: int
    run: Run = field(repr=False)


def run_world(seed: int) -> Outcome:
    """Make a world and play it."""
    world = make(seed)
    document = of_mapping(world.configuration)
    keep = seed % EVERY_REPLAY == 0
    calm_us = world.plan.duration_us - QUIET_US + LATE_US
    quiet = _ends_quietly(world.plan)
    options = Options(seed, lean=True, keep_records=keep, quiet_end=quiet, calm_after_us=calm_us)
    run = play(world.plan, document, options)
    failures = [str(one) for one in run.violations]
    if keep:
        failures += replay(run.records)
    if seed % EVERY_COMPARED == 0:
        failures += twins.differences(world, run, options)
    switches = sum(entry.what is What.SWITCH for entry in run.entries)
    return Outcome(seed, tuple(failures), switches, run)


def _ends_quietly(plan: Plan) -> bool:
    """Rights and tables that were missing are looked for again only after minutes."""
    permanent = (TroubleKind.DENIED, TroubleKind.NOT_FOUND)
    rival = plan.lease is not None and plan.lease.rival is not None
    return not rival and not any(one.kind in permanent for one in plan.troubles)


# --- making -------------------------------------------------------------------------------------------------


def make(seed: int) -> World:
    """Return the world of a seed."""
    luck = Random(seed)  # noqa: S311 - worlds, not secrets
    shape = _shape(luck)
    active_us = luck.randrange(20, 80) * _S
    plan = Plan(
        duration_us=active_us + QUIET_US,
        faults=tuple(_faults(luck, shape, active_us)),
        troubles=tuple(_troubles(luck, shape, active_us)),
        rewrites=tuple(_rewrites(luck, shape, active_us)),
        asks=tuple(_asks(luck, shape, active_us)),
        mishaps=tuple(_mishaps(luck, active_us)),
        lease=LeasePlan(luck.choice((6, 10)) * _S) if luck.random() < 0.06 else None,  # noqa: PLR2004
        platforms={ProviderName("aws"): _platform(luck)},
        begin=_begin(luck, shape),
        rtt_us=luck.choice((500, 3_000, 40_000)),
    )
    configured = _configured(luck, shape)
    return World(seed, plan, _led(configured) if seed % EVERY_LED == EVERY_LED - 1 else configured)


def _shape(luck: Random) -> Shape:
    paths = PATHS[: luck.choice((2, 2, 2, 2, 3, 3, 4))]
    targets = ("t1", "t2", "t3")[: luck.choice((1, 2, 3, 3))]
    classes = luck.choice((("small",), ("small",), ("small",), ("small", "large"), ("small", "tcp")))
    tables = {"aws": ("rtb-1", "rtb-2", "rtb-3")[: luck.choice((1, 2, 3))]}
    if luck.random() < 0.6:  # noqa: PLR2004
        tables["linux"] = ("main",)
    return Shape(
        paths,
        targets,
        classes,
        tables,
        prefixes=luck.choice((1, 1, 2, 3)),
        reference=luck.random() < 0.8,  # noqa: PLR2004
        service=luck.random() < 0.15,  # noqa: PLR2004
    )


def _configured(luck: Random, shape: Shape) -> dict[str, Any]:
    """Return a configuration with quick waits, so that much happens in little time."""
    made = configuration(shape)
    made["provider"] = {"aws": {"deadline": f"{luck.choice((3, 6, 12))}s"}}
    made["group"][0] |= {
        "revertive": luck.random() < 0.6,  # noqa: PLR2004
        "wait_to_restore": f"{luck.choice((0, 8, 20, 40))}s",
        "hold_off": luck.choice(("0s", "0s", "0s", "0s", "1500ms")),
        "drift": luck.choice(("repair", "repair", "repair", "report")),
        "reconcile": f"{luck.choice((1, 3, 10))}s",
        "settle": f"{luck.choice((1, 3))}s",
        "detect": {
            "fall": luck.choice((2, 3, 3, 3, 4)),
            "rise": luck.choice((3, 5, 10)),
            "loss": {"window": luck.choice(("10s", "20s")), "confirm": luck.choice(("3s", "10s"))},
            "recover": {"percent": 2, "window": luck.choice(("20s", "60s"))},
        },
        "damping": {
            "half_life": luck.choice(("1m", "15m")),
            "max_moves": {"count": luck.choice((2, 6)), "window": "1h"},
        },
    }
    return made


def _led(configured: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration in which no packet is sent: an observer elsewhere leads."""
    configured["group"][0]["probe"] = [{"kind": "observer", "act": "alone"}]
    return configured


def _begin(luck: Random, shape: Shape) -> PathName | Content:
    words = [shape.paths[0]] * 6 + [shape.paths[-1], Content.ABSENT]
    word = luck.choice(words)
    return word if isinstance(word, Content) else PathName(word)


def _platform(luck: Random) -> Platform:
    return Platform(
        read_us=luck.choice((5_000, 60_000, 400_000)),
        write_us=luck.choice((5_000, 120_000, 900_000)),
        visibility_us=luck.choice((0, 0, 2 * _S)),
        late_write_us=LATE_US,
        parallel_tables=luck.choice((1, 4)),
    )


LATE_US: Final = 10 * _S
"""What every simulated platform declares, and what a late write never exceeds."""


def _when(luck: Random, active_us: int) -> int:
    """Return a moment: any, or one on the edge of a second."""
    at_us = luck.randrange(active_us)
    return at_us if luck.random() < 0.7 else at_us // _S * _S  # noqa: PLR2004


def _span(luck: Random, active_us: int) -> tuple[int, int]:
    """Return a beginning and an end within the active time: blinks, and outages."""
    start_us = _when(luck, active_us)
    longest_us = luck.choice((1, 2, 3, 4, 10, 40, 90)) * _S
    end_us = start_us + luck.randrange(longest_us // 4, longest_us + 1)
    return start_us, min(end_us, active_us) if end_us > start_us else start_us + 1


def _faults(luck: Random, shape: Shape, active_us: int) -> list[Fault]:
    made: list[Fault] = []
    for _ in range(luck.choice((0, 1, 1, 2, 2, 3, 4))):
        made += luck.choice((_outage, _outage, _lossy, _partly, _flapping, _dark, _odd))(
            luck, shape, active_us
        )
    return [one for one in made if one.end_us > one.start_us]


def _some_paths(luck: Random, shape: Shape) -> tuple[PathName, ...]:
    count = 1 if luck.random() < 0.7 else luck.randrange(1, len(shape.paths) + 1)  # noqa: PLR2004
    return tuple(PathName(path) for path in sorted(luck.sample(shape.paths, count)))


def _all_paths(shape: Shape) -> tuple[PathName, ...]:
    return tuple(PathName(path) for path in shape.paths)


def _outage(luck: Random, shape: Shape, active_us: int) -> list[Fault]:
    kinds = (
        FaultKind.CUT,
        FaultKind.CUT,
        FaultKind.DATA_DEAD,
        FaultKind.KEY_MISMATCH,
        FaultKind.NOT_FORWARDING,
    )
    return [Fault(luck.choice(kinds), *_span(luck, active_us), _some_paths(luck, shape))]


def _lossy(luck: Random, shape: Shape, active_us: int) -> list[Fault]:
    percent = luck.choice((2, 10, 30, 60))
    return [Fault(FaultKind.LOSS, *_span(luck, active_us), _some_paths(luck, shape), percent)]


def _partly(luck: Random, shape: Shape, active_us: int) -> list[Fault]:
    paths = _some_paths(luck, shape)
    if len(shape.classes) > 1 and luck.random() < 0.7:  # noqa: PLR2004
        lost = LARGE if "large" in shape.classes else TCP
        return [Fault(FaultKind.CLASS, *_span(luck, active_us), paths, classes=(lost,))]
    target = luck.choice(shape.targets)
    return [Fault(FaultKind.TARGETS, *_span(luck, active_us), paths, targets=(target,))]


def _flapping(luck: Random, shape: Shape, active_us: int) -> list[Fault]:
    start_us, paths = _when(luck, active_us), _some_paths(luck, shape)
    down_us, up_us = (luck.randrange(_S // 2, 8 * _S) for _ in range(2))
    starts = range(start_us, min(active_us, start_us + 6 * (down_us + up_us)), down_us + up_us)
    return [Fault(FaultKind.CUT, at_us, min(active_us, at_us + down_us), paths) for at_us in starts]


def _dark(luck: Random, shape: Shape, active_us: int) -> list[Fault]:
    """Something that fails alike on every path, at any phase of the probes."""
    kind = luck.choice((FaultKind.REMOTE_DARK, FaultKind.CUT, FaultKind.ISOLATED))
    return [Fault(kind, *_span(luck, active_us), _all_paths(shape))]


def _odd(luck: Random, shape: Shape, active_us: int) -> list[Fault]:
    kind = luck.choice(
        (
            FaultKind.ANCHOR,
            FaultKind.REFERENCE,
            FaultKind.LATENCY,
            FaultKind.LINK_DOWN,
            FaultKind.UNPROBED,
            FaultKind.RP_FILTER,
            FaultKind.SERVICE,
            FaultKind.ONE_WAY_IN,
        )
    )
    paths = () if kind is FaultKind.REFERENCE else _some_paths(luck, shape)
    by_us = luck.choice((50_000, 300_000, 2 * _S))
    return [Fault(kind, *_span(luck, active_us), paths, by_us=by_us)]


def _somewhere(luck: Random, shape: Shape) -> tuple[ProviderName, tuple[TableName, ...] | None]:
    provider = luck.choice(tuple(shape.tables))
    some = None if luck.random() < 0.5 else (TableName(luck.choice(shape.tables[provider])),)  # noqa: PLR2004
    return ProviderName(provider), some


def _troubles(luck: Random, shape: Shape, active_us: int) -> list[Trouble]:
    made = []
    for _ in range(luck.choice((0, 0, 1, 1, 2, 3))):
        provider, tables = _somewhere(luck, shape)
        kind = luck.choice(tuple(TroubleKind))
        if kind in (TroubleKind.LATE, TroubleKind.STALE, TroubleKind.REGRESSING):
            provider = ProviderName("aws")  # a kernel answers for what it did, and at once
            tables = None
        by_us = luck.choice((_S // 2, 2 * _S, 4 * _S, LATE_US - _S))
        if kind in (TroubleKind.STALE, TroubleKind.REGRESSING):
            by_us = luck.choice((_S // 2, 2 * _S))
        if provider == "linux" and kind is TroubleKind.SLOW:
            by_us = min(by_us, _S // 2)  # it declares no late writes: never as long as its deadline
        retry_us = luck.choice((0, 1, 5, 20)) * _S
        percent = luck.choice((30, 100, 100))
        span = _span(luck, active_us)
        made.append(Trouble(kind, *span, provider, tables, by_us, retry_us, percent))
    return made


def _rewrites(luck: Random, shape: Shape, active_us: int) -> list[Rewrite]:
    made = []
    for _ in range(luck.choice((0, 0, 0, 1, 2, 4))):
        to: Sequence[PathName | Content] = (*_all_paths(shape), Content.FOREIGN, Content.ABSENT)
        made.append(Rewrite(_when(luck, active_us), luck.choice(to), *_somewhere(luck, shape)))
    return made


def _asks(luck: Random, shape: Shape, active_us: int) -> list[Ask]:
    made = []
    for _ in range(luck.choice((0, 0, 0, 1, 2, 3))):
        at_us = _when(luck, active_us)
        kind = luck.choice(
            (
                RequestKind.SWITCH,
                RequestKind.FORCE,
                RequestKind.LOCKOUT,
                RequestKind.DRAIN,
                RequestKind.CLEAR,
                RequestKind.PAUSE,
                RequestKind.RESUME,
            )
        )
        with_path = kind in (RequestKind.SWITCH, RequestKind.FORCE, RequestKind.LOCKOUT, RequestKind.DRAIN)
        path = luck.choice(_all_paths(shape)) if with_path else None
        timeless = kind in (RequestKind.CLEAR, RequestKind.RESUME)
        for_us = None if timeless else luck.randrange(_S, max(2 * _S, active_us - at_us))
        which = luck.choice((None, *OverrideKind)) if kind is RequestKind.CLEAR else None
        made.append(Ask(at_us, kind, path, for_us, "campaign", which))
    return sorted(made, key=lambda ask: ask.at_us)


def _mishaps(luck: Random, active_us: int) -> list[Mishap]:
    made = []
    for _ in range(luck.choice((0, 0, 0, 1, 1, 2))):
        at_us = _when(luck, active_us)
        kind = luck.choice((*MishapKind, MishapKind.KILL))
        longest_us = min(luck.choice((1, 4, 20)) * _S, active_us - at_us + _S)
        after_us = luck.randrange(_S // 10, max(_S, longest_us))
        by_us = luck.choice((-86_400, -3_600, 5, 86_400)) * _S
        disk = luck.choice((DiskState.FULL, DiskState.READ_ONLY, DiskState.HUNG))
        writes = step = None
        if kind is MishapKind.KILL:
            writes, step = luck.choice(
                ((None, None), (luck.randrange(1, 6), None), (None, luck.randrange(2, 400)))
            )
        made.append(Mishap(kind, at_us, after_us, by_us, disk, writes, step))
    return made

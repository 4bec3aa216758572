"""Whether a run did what a scenario expects of it, in one run and over many seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from wgfo.simulate.plan import FOREVER_US
from wgfo.simulate.play import Run
from wgfo.simulate.scenario import Expectation, Scenario
from wgfo.simulate.timeline import Entry, What, clock_text

_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run says of one expectation."""

    met: bool
    text: str
    delay_us: int | None = None
    """From what ``within`` counts from to the first matching switch."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all runs together say of one expectation."""

    met: bool
    text: str
    seeds: tuple[int, ...] = ()
    """The first seeds that did otherwise."""


def verdict(expectation: Expectation, seen: Sequence[tuple[int, Seen]]) -> Verdict:
    """Judge an expectation over all runs, given what each seed's says."""
    others = [(seed, one) for seed, one in seen if not one.met]
    share = (len(seen) - len(others)) * 100
    enough = share >= expectation.at_least * len(seen)
    text = describe(expectation)
    if len(seen) > 1:
        text += f": {len(seen) - len(others)} of {len(seen)} seeds"
    elif others:
        text += f": {others[0][1].text}"
    if others and len(seen) > 1:
        text += f"; seed {others[0][0]}: {others[0][1].text}"
    if expectation.median is not None:
        inside, said = _median(expectation, [one.delay_us for _, one in seen if one.delay_us is not None])
        enough, text = enough and inside, f"{text}; {said}"
    return Verdict(enough, text, () if enough else tuple(seed for seed, _ in others[:10]))


def _median(expectation: Expectation, delays_us: Sequence[int]) -> tuple[bool, str]:
    assert expectation.median is not None
    low, high = expectation.median
    if not delays_us:
        return False, "no median: it never happened"
    middle_us = int(median(delays_us))
    return low.us <= middle_us <= high.us, f"median {middle_us / _S:.1f} s, expected {low} to {high}"


def describe(expectation: Expectation) -> str:
    """Return an expectation as it is written."""
    written = expectation.model_dump(exclude_unset=True, by_alias=True)
    return ", ".join(f"{key} = {_value(value)}" for key, value in written.items())


def _value(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(_value(one) for one in value)}]"
    return str(value)


def judge(scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    """Judge an expectation by one run."""
    return JUDGES[expectation.subject](scenario, expectation, run)


def looks_us(scenario: Scenario) -> tuple[int, ...]:
    """Return the moments at which the group's state must be known."""
    times = {one.at.us for one in scenario.expect if one.at is not None}
    return tuple(sorted(times))


# --- one function a subject ---------------------------------------------------------------------------------


def _switch(scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    of_us = _of_us(scenario, expectation)
    found = [
        entry
        for entry in _in_time(expectation, run, What.SWITCH)
        if entry.fields["to"] == expectation.switch and _says(expectation, entry)
    ]
    if expectation.within is not None:
        found = [entry for entry in found if entry.at_us >= of_us]
    delay_us = found[0].at_us - of_us if found else None
    late = expectation.within is not None and delay_us is not None and delay_us > expectation.within.us
    return Seen(_counted(expectation, len(found)) and not late, _told(run, What.SWITCH), delay_us)


def _switches(_scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    found = len(_in_time(expectation, run, What.SWITCH))
    exactly = expectation.switches == found
    most = expectation.count is not None and found <= expectation.count
    return Seen(exactly or most, _told(run, What.SWITCH))


def _group(_scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    assert expectation.at is not None
    report = run.reports.get(expectation.at.us)
    state = None if report is None else report.state
    return Seen(state is expectation.group, f"it is {state}")


def _desired(_scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    assert expectation.at is not None
    report = run.reports.get(expectation.at.us)
    desired = None if report is None else report.desired
    return Seen(desired == expectation.desired, f"it is {desired}")


def _path(_scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    changes = [
        entry for entry in _in_time(expectation, run, What.PATH) if entry.fields["path"] == expectation.path
    ]
    told = "; ".join(f"{clock_text(entry.at_us)} {entry.text}" for entry in changes) or "it never changes"
    if expectation.never is not None:
        return Seen(all(entry.fields["state"] != expectation.never for entry in changes), told)
    if expectation.at is not None:
        report = run.reports.get(expectation.at.us)
        paths = {one.name: one.state for one in report.paths} if report is not None else {}
        state = next((state for name, state in paths.items() if name == expectation.path), None)
        return Seen(state is expectation.state, f"it is {state}")
    found = [
        entry for entry in changes if entry.fields["state"] == expectation.state and _says(expectation, entry)
    ]
    return Seen(_counted(expectation, len(found)), told)


def _alarm(scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    of_us = _of_us(scenario, expectation)
    found = [
        entry
        for entry in _in_time(expectation, run, What.ALARM)
        if entry.fields["alarm"] == expectation.alarm
        and _says(expectation, entry)
        and _pages(expectation, entry)
    ]
    if expectation.within is not None:
        found = [entry for entry in found if of_us <= entry.at_us <= of_us + expectation.within.us]
    met = _counted(expectation, len(found))
    if met and expectation.cleared is not None:
        met = any(
            found[0].at_us < entry.at_us <= expectation.cleared.us
            for entry in _of(run, What.CLEAR)
            if entry.fields["alarm"] == expectation.alarm
        )
    return Seen(met, _told(run, What.ALARM, What.CLEAR))


def _pages(expectation: Expectation, entry: Entry) -> bool:
    return expectation.page is None or bool(entry.fields["page"]) is expectation.page


def _tables(scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    """Replay the tables' changes: at ``by``, and at each change until ``until``, all must point there."""
    assert expectation.by is not None
    wanted = [table for some in scenario.providers.values() for table in some]
    wanted = [table for table in wanted if expectation.only is None or table in expectation.only]
    stands = dict.fromkeys(wanted, scenario.begin)
    until_us = FOREVER_US if expectation.until is None else expectation.until.us
    told = ""
    for entry in _of(run, What.TABLE):
        table = str(entry.fields["table"])
        if table not in stands or entry.at_us > until_us:
            continue
        if entry.at_us > expectation.by.us and not told:
            told = _elsewhere(stands, expectation)
        stands[table] = str(entry.fields["to"])
        if entry.at_us > expectation.by.us and not told:
            told = _elsewhere(stands, expectation)
    told = told or _elsewhere(stands, expectation)
    return Seen(not told, told)


def _elsewhere(stands: Mapping[str, str], expectation: Expectation) -> str:
    return ", ".join(f"{table} is on {to}" for table, to in stands.items() if to != expectation.tables)


def _writes(_scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    found = [
        entry
        for entry in _in_time(expectation, run, What.SENT)
        if expectation.to in (None, entry.fields["to"])
        and (expectation.only is None or entry.fields["table"] in expectation.only)
    ]
    assert expectation.writes is not None
    lines = "; ".join(f"{clock_text(entry.at_us)} {entry.text}" for entry in found[:5])
    return Seen(len(found) <= expectation.writes, f"{len(found)} writes: {lines}")


def _answer(_scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    asked = {
        entry.fields["request"]
        for entry in _in_time(expectation, run, What.OPERATOR)
        if entry.text.startswith(f"{expectation.answer} ")
    }
    answers = [entry for entry in _of(run, What.ANSWER) if entry.fields["request"] in asked]
    word = "accepted" if expectation.accepted else "refused"
    good = [entry for entry in answers if entry.fields["answer"] == word and _says(expectation, entry)]
    told = "; ".join(entry.text for entry in answers) or "there is no answer"
    return Seen(len(answers) > 0 and len(good) == len(answers), told)


def _requests(_scenario: Scenario, expectation: Expectation, run: Run) -> Seen:
    assert expectation.count is not None
    found = {
        table: sum(
            count
            for key, count in run.requests.items()
            if key.startswith("write ") and key.endswith(f" {table}")
        )
        for table in expectation.requests or ()
    }
    told = ", ".join(f"{table}: {count}" for table, count in found.items())
    return Seen(all(count <= expectation.count for count in found.values()), told)


JUDGES: Final[Mapping[str, Callable[[Scenario, Expectation, Run], Seen]]] = {
    "switch": _switch,
    "switches": _switches,
    "group": _group,
    "desired": _desired,
    "path": _path,
    "alarm": _alarm,
    "tables": _tables,
    "writes": _writes,
    "answer": _answer,
    "requests": _requests,
}


# --- what they ask ------------------------------------------------------------------------------------------


def _of_us(scenario: Scenario, expectation: Expectation) -> int:
    if expectation.of is not None:
        return expectation.of.us
    return min((fault.at.us for fault in scenario.fault), default=0)


def _of(run: Run, *whats: What) -> list[Entry]:
    return [entry for entry in run.entries if entry.what in whats]


def _in_time(expectation: Expectation, run: Run, what: What) -> list[Entry]:
    before_us = FOREVER_US if expectation.before is None else expectation.before.us
    return [entry for entry in _of(run, what) if expectation.after.us <= entry.at_us < before_us]


def _says(expectation: Expectation, entry: Entry) -> bool:
    if expectation.rule is not None and entry.fields.get("rule") != expectation.rule:
        return False
    return all(word in str(entry.fields.get("reason", "")) for word in expectation.reason)


def _counted(expectation: Expectation, found: int) -> bool:
    return found > 0 if expectation.count is None else found == expectation.count


def _told(run: Run, *whats: What) -> str:
    lines = [f"{clock_text(entry.at_us)} {entry.what} {entry.text}" for entry in _of(run, *whats)]
    return "; ".join(lines[:6]) or "nothing of the kind happens"

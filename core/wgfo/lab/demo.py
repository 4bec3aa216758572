"""One silent failure from beginning to end: a lab, the real daemon, real traffic, a fault, a report."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from wgfo.lab import config, lab, meter, picture, render, state
from wgfo.lab.actors import Daemon, Traffic, running_daemon, running_traffic
from wgfo.lab.lab import Lab
from wgfo.lab.story import Story, lanes, tell
from wgfo.lab.timeline import Kind, Timeline
from wgfo.lab.topology import PRIMARY, Node, PathLabel

FAULT: Final = "silent-drop"
POLL_S: Final = 0.2
LOOK_EVERY_US: Final = 1_000_000
SILENT_US: Final = 5_000_000
"""Without a terminal to draw on, something is said at least this often."""
READY_S: Final = 45
TRAFFIC_S: Final = 10
CALM_S: Final = 3
ESCAPE_S: Final = 30
RENEWAL_S: Final = 30
"""WireGuard renews the handshake some 15 s after it stopped hearing an answer."""
RESTORATION_S: Final = 60


@dataclass(frozen=True, slots=True)
class Options:
    """What ``wgfo lab demo`` was asked for."""

    json_file: Path | None = None
    picture: Path | None = None
    third_host: bool = False
    keep: bool = False


def run(options: Options, console: Console | None = None) -> bool:
    """Run the demonstration; whether every part of the story was seen.

    Raises:
        LabError: the lab or the daemon did not come up. Whatever happens, the lab is ended (unless kept).
    """
    console = console or Console(highlight=False)
    name = _free_name()
    progress: Callable[[str], None] = lambda text: console.print(f"lab {name}: {text}")  # noqa: E731 - two lines
    with lab.founded(name, progress) as (made, founding):
        story = _play(made, options, console)
        console.print(render.report(story))
        _save(story, options)
        if options.keep:
            founding.stay()
            console.print(
                f"the lab is still up: wgfo lab exec --name {name} onprem · wgfo lab down --name {name}"
            )
    return story.complete


def _free_name() -> str:
    return "demo" if "demo" not in state.names() else f"demo-{os.getpid()}"


def _save(story: Story, options: Options) -> None:
    if options.json_file is not None:
        options.json_file.write_text(json.dumps(story.as_json(), indent=2) + "\n", encoding="utf-8")
    if options.picture is not None:
        options.picture.write_text(picture.svg(story), encoding="utf-8")


def _play(made: Lab, options: Options, console: Console) -> Story:
    node = config.controller(third_host=options.third_host)
    settings = config.text(made.directory, third_host=options.third_host, demo=True)
    with running_daemon(made, node, settings) as daemon, running_traffic(made) as traffic:
        stage = Stage(made, daemon, traffic)
        with _screen(stage, console):
            _acts(stage)
        return tell(stage.timeline, FAULT, stage.now_us())


def _acts(stage: Stage) -> None:
    """The play itself; an act that takes too long ends the play, and the report says what is missing."""
    timeline = stage.timeline
    stage.wait("both paths up", READY_S, lambda: _state(timeline) == "ok")
    stage.wait("packets from client to server", TRAFFIC_S, lambda: timeline.traffic_began_us is not None)
    stage.pass_time("all is well", CALM_S)
    stage.made.break_(FAULT, PathLabel.PRIMARY)
    timeline.broken(stage.now_us(), f"{FAULT} on the primary: data is dropped, handshakes pass")
    stage.wait("wgfo to notice, decide, write and verify", ESCAPE_S, lambda: _complete(timeline.escape))
    stage.wait("the dead path's handshake to be renewed", RENEWAL_S, lambda: timeline.renewals > 0)
    stage.pass_time("traffic goes on through the secondary", CALM_S)
    stage.made.heal(FAULT)
    timeline.healed(stage.now_us(), f"{FAULT} healed")
    stage.wait("wait-to-restore, then the way back", RESTORATION_S, lambda: _complete(timeline.restoration))
    stage.pass_time("all is well again", CALM_S)


def _state(timeline: Timeline) -> str:
    return timeline.samples[-1].state if timeline.samples else "starting"


def _complete(move: object) -> bool:
    return bool(getattr(move, "complete", False))


class Stage:
    """Where the witnesses are asked, five times a second."""

    def __init__(self, made: Lab, daemon: Daemon, traffic: Traffic) -> None:
        self.made = made
        self.text = ""
        self._daemon = daemon
        self._traffic = traffic
        self._enclosure = made.enclosure
        self._looked_us = -LOOK_EVERY_US
        self._watchers: list[Callable[[], None]] = []
        self.timeline = Timeline(meter.now_us(), time.time_ns() // 1_000)

    def now_us(self) -> int:
        """Return the time since the play began."""
        return meter.now_us() - self.timeline.began_us

    def on_change(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` after every round of questions."""
        self._watchers.append(watcher)

    def wait(self, what: str, at_most_s: float, done: Callable[[], bool]) -> bool:
        """Ask until something is so; False (and an event) when the time is up."""
        began_us = self.now_us()
        self.timeline.note(began_us, Kind.STAGE, f"waiting for {what}")
        while not done():
            waited_s = (self.now_us() - began_us) / 1_000_000
            if waited_s > at_most_s:
                self.timeline.note(self.now_us(), Kind.STAGE, f"not within {at_most_s:g} s: {what}")
                return False
            self._round(f"waiting for {what} ({waited_s:.0f} s, at most {at_most_s:g} s)")
        return True

    def pass_time(self, what: str, for_s: float) -> None:
        """Ask for a while."""
        until_us = self.now_us() + round(for_s * 1_000_000)
        while self.now_us() < until_us:
            self._round(what)

    def _round(self, text: str) -> None:
        self.text = text
        time.sleep(POLL_S)
        for line in self._traffic.lines():
            self.timeline.traffic(line)
        self._ask()
        self._look()
        for watcher in self._watchers:
            watcher()

    def _ask(self) -> None:
        history = self._daemon.ask("/api/v1/history")
        at_us = self.now_us()  # before the question: the answer is never older than its time
        status = self._daemon.ask("/api/v1/status")
        if status is not None and history is not None:
            self.timeline.history(history)
            self.timeline.status(at_us, status)

    def _look(self) -> None:
        now_us = self.now_us()
        if now_us - self._looked_us < LOOK_EVERY_US:
            return
        self._looked_us = now_us
        script = f"ip -br link show dev {PRIMARY.interface}; wg show {PRIMARY.interface} latest-handshakes"
        said = self._enclosure.run("sh", "-c", script, node=Node.ONPREM, check=False).split("\n")
        stamp = int((said[1].split() or ["0", "0"])[1]) if len(said) > 1 else 0
        age_s = round(time.time()) - stamp if stamp else None
        self.timeline.look(now_us, link_up=",UP" in said[0], handshake_age_s=age_s)


# --- the screen ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _screen(stage: Stage, console: Console) -> Iterator[None]:
    """Show the play: lanes on a terminal, a line per event elsewhere."""
    if not console.is_terminal:
        stage.on_change(Printer(stage, console).print_new)
        yield
        return
    with Live(console=console, auto_refresh=False, transient=False) as screen:

        def draw() -> None:
            now_us, timeline = stage.now_us(), stage.timeline
            shown = render.live(lanes(timeline, now_us), timeline.events, stage.text, now_us, console.width)
            screen.update(shown, refresh=True)

        stage.on_change(draw)
        yield


class Printer:
    """Prints each event once, as it comes, and during long waits what is waited for."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage = stage
        self._console = console
        self._printed = 0
        self._spoke_us = 0

    def print_new(self) -> None:
        """Print the events noted since the last call."""
        events, now_us = self._stage.timeline.events, self._stage.now_us()
        for event in events[self._printed :]:
            self._say(render.plain(event), now_us)
        self._printed = len(events)
        if now_us - self._spoke_us > SILENT_US:
            self._say(f"             {self._stage.text}", now_us)

    def _say(self, text: str, now_us: int) -> None:
        self._console.print(text, markup=False, soft_wrap=True)
        self._spoke_us = now_us

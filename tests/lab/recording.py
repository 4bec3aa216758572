"""A demonstration as it was seen once, in round numbers: the fault at 10 s, the healing at 40 s."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from wgfo.lab.timeline import Kind, Timeline

S = 1_000_000
BEGAN_US = 500 * S
"""On the monotonic clock."""
WALL_US = 1_700_000_000 * S
BROKEN_US, HEALED_US, END_US = 10 * S, 40 * S, 70 * S
ESCAPED_US, RESTORED_US = 13_500_000, 60 * S


def status(active: str = "primary", dataplane: str = "up", state: str = "ok") -> dict[str, Any]:
    def path(name: str, verdict: str) -> dict[str, Any]:
        layers = {"interface": "up", "handshake": "up", "dataplane": verdict}
        reason = "3 rounds lost" if verdict == "down" else "good"
        return {"name": name, "state": verdict, "layers": layers, "reason": reason}

    paths = [path("primary", dataplane), path("secondary", "up")]
    return {"api_version": 1, "state": state, "groups": [{"name": "cloud", "active": active, "paths": paths}]}


def switch(at_us: int, source: str, target: str, rule: str, detect_s: float | None) -> dict[str, Any]:
    at = datetime.fromtimestamp((WALL_US + at_us) / S, UTC)
    return {
        "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"), "group": "cloud", "epoch": 2,
        "from": source, "to": target, "rule": rule, "reason": "because",
        "detect_seconds": detect_s, "write_seconds": 0.02, "verified_seconds": 0.05, "first_packet_seconds": 0.4,
        "prefixes": 2, "failed": 0,
    }  # fmt: skip


ESCAPE = switch(ESCAPED_US, "primary", "secondary", "signal_fail", 3.4)
RESTORATION = switch(RESTORED_US, "secondary", "primary", "revert", None)


def meter_line(at_us: int, echoes: list[tuple[int, int, int]], requests: list[Any] | None = None) -> str:
    stamped = [(number, BEGAN_US + sent, BEGAN_US + received) for number, sent, received in echoes]
    sent = at_us // 10_000
    return json.dumps(
        {"at_us": BEGAN_US + at_us, "sent": sent, "echoes": stamped, "requests": requests or []}
    )


def traffic(timeline: Timeline, until_us: int = END_US) -> None:
    """A packet each 10 ms, each answered within 2 ms, none from the fault to 40 ms after the escape."""
    dead = range(BROKEN_US, ESCAPED_US + 40_000)
    for at_us in range(100_000, until_us + 1, 100_000):
        sent = [number * 10_000 for number in range((at_us - 100_000) // 10_000, at_us // 10_000)]
        echoes = [(sent_us // 10_000, sent_us, sent_us + 2_000) for sent_us in sent if sent_us not in dead]
        timeline.traffic(meter_line(at_us, echoes))


def looks(timeline: Timeline) -> None:
    """Each second; handshakes at 0 s, at 25 s (during the fault) and at 41 s."""
    for second in range(END_US // S):
        last = max(stamp for stamp in (0, 25, 41) if stamp <= second)
        timeline.look(second * S, link_up=True, handshake_age_s=second - last)


def recorded() -> Timeline:
    """The whole demonstration."""
    timeline = Timeline(BEGAN_US, WALL_US)
    timeline.note(0, Kind.STAGE, "waiting for both paths up")
    timeline.broken(BROKEN_US, "silent-drop on the primary")
    traffic(timeline)
    for at_us in range(S, END_US, S // 2):
        if at_us < ESCAPED_US:
            seen = status()
        elif at_us < HEALED_US + S:
            seen = status("secondary", "down", "degraded")
        else:
            seen = status("secondary" if at_us < RESTORED_US else "primary", "up")
        timeline.status(at_us, seen)
    looks(timeline)
    timeline.healed(HEALED_US, "silent-drop healed")
    timeline.history({"switches": [ESCAPE, RESTORATION]})
    return timeline

"""What must survive a restart survives it, and a bad disk stops nobody."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
from tests.daemon.disks import FaultyFiles, HandClock
from tests.support.netns import eventually

from wgfo.daemon.lock import StateInUse, StateLock
from wgfo.daemon.state import MemoryStore, StateStore
from wgfo.daemon.stored import IMPLAUSIBLE_US, Times, load_state
from wgfo.engine.decisions import Rule
from wgfo.engine.events import Override, OverrideKind, StoredGroup
from wgfo.telemetry.switches import SwitchRecord

HOUR_US = 3600 * 1_000_000
STORED = StoredGroup(desired="secondary", epoch=7, owned=("linux/main/cloud",), penalty=1000)


class Daemon:
    """One life of a daemon on a state directory."""

    def __init__(self, directory, clock=None, boot_id="boot-1", files=None):
        self.clock = clock or HandClock()
        self.told: list[tuple[bool, str]] = []
        self.files = files or FaultyFiles()
        self.store = StateStore(
            directory,
            "session-1",
            Times(self.clock, boot_id),
            lambda healthy, text: self.told.append((healthy, text)),
            files=self.files,
            retry_ms=5,
        )


def override(clock, *, for_us):
    expires_us = None if for_us is None else clock.monotonic + for_us
    return Override(
        OverrideKind.LOCKOUT,
        "primary",
        "work on the line",
        "root",
        "2026-09-21T00:00:00.000Z",
        expires_us,
        None if expires_us is None else clock.rfc3339(expires_us),
    )


async def saved_with_override(directory, clock, *, for_us):
    daemon = Daemon(directory, clock)
    stored = replace(STORED, overrides=(override(clock, for_us=for_us),))
    assert await daemon.store.save_bounded("cloud", stored, 2000)
    assert await daemon.store.aclose()


def loaded(directory, clock, boot_id="boot-1"):
    return load_state(directory, Times(clock, boot_id))


async def test_a_saved_group_is_there_after_a_restart(tmp_path):
    daemon = Daemon(tmp_path)
    assert await daemon.store.save_bounded("cloud", STORED, 2000)
    await daemon.store.aclose()
    restored = Daemon(tmp_path).store.load().groups["cloud"]
    assert restored.stored == STORED
    assert restored.stamp.session == "session-1"


async def test_closing_writes_what_still_waits(tmp_path):
    daemon = Daemon(tmp_path)
    for epoch in range(50):
        daemon.store.save("cloud", replace(STORED, epoch=epoch))
    assert await daemon.store.aclose()
    assert loaded(tmp_path, daemon.clock).groups["cloud"].stored.epoch == 49


@pytest.mark.parametrize("name", ["a/b", "..", ".", "Büro 1", "%2e", "x.json"])
async def test_every_group_name_has_a_file_of_its_own_inside_the_directory(tmp_path, name):
    daemon = Daemon(tmp_path)
    assert await daemon.store.save_bounded(name, STORED, 2000)
    await daemon.store.aclose()
    assert set(loaded(tmp_path, daemon.clock).groups) == {name}
    assert {path.parent for path in tmp_path.rglob("*.json")} == {tmp_path / "groups"}


async def test_state_is_readable_by_its_owner_alone(tmp_path):
    daemon = Daemon(tmp_path / "state")
    await daemon.store.save_bounded("cloud", STORED, 2000)
    await daemon.store.aclose()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*")}
    assert modes == {"groups": 0o700, "cloud.json": 0o600}


async def test_the_list_of_switches_is_there_after_a_restart(tmp_path):
    daemon = Daemon(tmp_path)
    record = SwitchRecord(
        "2026-01-01T00:00:00.000Z", "cloud", 2, "primary", "secondary", Rule.SIGNAL_FAIL, "dead"
    )
    daemon.store.save_switches([record])
    await daemon.store.aclose()
    assert loaded(tmp_path, daemon.clock).switches == (record,)


# --- overrides and the clocks -------------------------------------------------------------------------------


async def test_within_a_boot_an_override_expires_by_the_boot_time_clock(tmp_path):
    clock = HandClock()
    await saved_with_override(tmp_path, clock, for_us=HOUR_US)
    clock.boottime += HOUR_US // 2  # the machine slept: neither the monotonic clock ...
    clock.wall -= 400 * 24 * HOUR_US  # ... nor a stepped wall clock counts
    left = loaded(tmp_path, clock).groups["cloud"].stored.overrides[0]
    assert left.expires_us == clock.monotonic + HOUR_US // 2


async def test_an_override_that_ended_while_nobody_ran_has_a_deadline_in_the_past(tmp_path):
    clock = HandClock()
    await saved_with_override(tmp_path, clock, for_us=HOUR_US)
    clock.pass_us(2 * HOUR_US)
    assert loaded(tmp_path, clock).groups["cloud"].stored.overrides[0].expires_us == clock.monotonic - HOUR_US


async def test_after_a_reboot_the_wall_clock_is_used(tmp_path):
    clock = HandClock()
    await saved_with_override(tmp_path, clock, for_us=HOUR_US)
    rebooted = HandClock(monotonic=9, boottime=10, wall=clock.wall + HOUR_US // 4)
    result = loaded(tmp_path, rebooted, "boot-2")
    assert result.groups["cloud"].stored.overrides[0].expires_us == 9 + 3 * HOUR_US // 4
    assert result.groups["cloud"].downtime_us == HOUR_US // 4
    assert result.problems == ()


@pytest.mark.parametrize("step_us", [-1, -HOUR_US, IMPLAUSIBLE_US + 1])
async def test_with_an_implausible_wall_clock_after_a_reboot_the_override_stays(tmp_path, step_us):
    clock = HandClock()
    await saved_with_override(tmp_path, clock, for_us=HOUR_US)
    rebooted = HandClock(monotonic=9, boottime=10, wall=clock.wall + step_us)
    result = loaded(tmp_path, rebooted, "boot-2")
    assert result.groups["cloud"].stored.overrides[0].expires_us is None
    assert result.groups["cloud"].downtime_us == IMPLAUSIBLE_US
    assert "it stays until it is cleared" in result.problems[0]
    assert "wgfo clear cloud --kind lockout" in result.problems[0]


async def test_an_override_without_expiry_stays_whatever_the_clocks_say(tmp_path):
    clock = HandClock()
    await saved_with_override(tmp_path, clock, for_us=None)
    result = loaded(tmp_path, HandClock(wall=0), "boot-2")
    assert result.groups["cloud"].stored.overrides[0].expires_us is None
    assert result.problems == ()


async def test_downtime_within_a_boot_counts_the_time_asleep(tmp_path):
    clock = HandClock()
    await saved_with_override(tmp_path, clock, for_us=None)
    clock.boottime += HOUR_US
    assert loaded(tmp_path, clock).groups["cloud"].downtime_us == HOUR_US


# --- bad files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON text"),
        (b"\x00" * 64, "no JSON text"),
        (b'{"format":2}', "found format 2, this version reads 1"),
        (b'{"format":1,"group":"cloud"}', "is missing"),
        (b"[]", "found format None"),
    ],
)
async def test_a_corrupt_file_is_kept_aside_and_the_others_are_read(tmp_path, content, says):
    daemon = Daemon(tmp_path)
    await daemon.store.save_bounded("cloud", STORED, 2000)
    bad = tmp_path / "groups" / "office.json"
    bad.write_bytes(content)
    result = daemon.store.load()
    await daemon.store.aclose()
    assert set(result.groups) == {"cloud"}
    assert says in result.problems[0]
    assert "kept as office.json.unreadable" in result.problems[0]
    assert bad.with_name("office.json.unreadable").read_bytes() == content
    assert not bad.exists()


async def test_reading_without_the_lock_changes_nothing(tmp_path):
    (tmp_path / "groups").mkdir()
    bad = tmp_path / "groups" / "office.json"
    bad.write_bytes(b"{")
    assert loaded(tmp_path, HandClock()).problems
    assert bad.read_bytes() == b"{"


async def test_an_unfinished_temporary_file_of_a_crash_is_not_read(tmp_path):
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / ".cloud.json.17.tmp").write_bytes(b"{")
    assert loaded(tmp_path, HandClock()).problems == ()


def test_a_missing_directory_is_an_empty_state(tmp_path):
    assert loaded(tmp_path / "none", HandClock()).groups == {}


# --- bad disks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
async def test_a_disk_that_refuses_is_told_and_tried_again_with_the_latest_state(tmp_path, code):
    daemon = Daemon(tmp_path)
    daemon.files.error = OSError(code, "no")
    assert not await daemon.store.save_bounded("cloud", STORED, 20)
    assert daemon.told[0][0] is False
    assert "cloud.json: no; tried again" in daemon.told[0][1]
    daemon.store.save("cloud", replace(STORED, epoch=8))
    daemon.files.error = None
    assert await daemon.store.save_bounded("office", STORED, 2000)
    await daemon.store.aclose()
    assert loaded(tmp_path, daemon.clock).groups["cloud"].stored.epoch == 8
    assert daemon.told[-1] == (True, "")
    assert len(daemon.told) == 2


async def test_a_hung_disk_delays_a_decision_by_the_bound_only(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.files.gate.clear()
    begun = time.monotonic()
    assert not await daemon.store.save_bounded("cloud", STORED, 50)
    assert time.monotonic() - begun < 0.5
    await asyncio.sleep(0)
    assert not daemon.store.healthy
    assert "not durable within 50 ms" in daemon.told[0][1]
    daemon.files.gate.set()
    assert await daemon.store.save_bounded("cloud", replace(STORED, epoch=9), 2000)
    await daemon.store.aclose()
    assert loaded(tmp_path, daemon.clock).groups["cloud"].stored.epoch == 9
    assert daemon.told[-1] == (True, "")


async def test_a_hung_disk_is_noticed_though_nobody_waits(tmp_path, monkeypatch):
    monkeypatch.setattr("wgfo.daemon.latest.HUNG_S", 0.01)
    daemon = Daemon(tmp_path)
    daemon.files.gate.clear()
    daemon.store.save("cloud", STORED)

    def noticed():
        daemon.store.check()
        return not daemon.store.healthy

    eventually(noticed, what="the hung disk is noticed")
    daemon.files.gate.set()
    assert await daemon.store.aclose()


async def test_closing_on_a_hung_disk_ends_and_says_that_state_is_lost(tmp_path, monkeypatch):
    daemon = Daemon(tmp_path)
    daemon.files.gate.clear()
    daemon.store.save("cloud", STORED)
    assert daemon.store._writer.close(0.05) is False
    daemon.files.gate.set()


async def test_closing_on_a_full_disk_says_that_state_is_lost(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.files.error = OSError(errno.ENOSPC, "no")
    daemon.store.save("cloud", STORED)
    daemon.store.save("office", STORED)
    assert await daemon.store.aclose() is False


async def test_waiting_saves_of_one_group_are_one_write(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.files.gate.clear()
    daemon.store.save("first", STORED)
    eventually(lambda: daemon.store._writer._writing, what="the thread has begun")
    for epoch in range(100):
        daemon.store.save("cloud", replace(STORED, epoch=epoch))
        daemon.store.save("office", replace(STORED, epoch=epoch))
    daemon.files.gate.set()
    await daemon.store.aclose()
    assert daemon.files.written == ["first.json", "cloud.json", "office.json"]


async def test_decisions_that_gave_up_waiting_leave_nothing_behind(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.files.gate.clear()
    for _ in range(20):
        await daemon.store.save_bounded("cloud", STORED, 1)
    held = [*daemon.store._writer._waiting.values(), daemon.store._writer._writing]
    assert sum(len(one.futures) for one in held if one) <= 2
    daemon.files.gate.set()
    await daemon.store.aclose()


async def test_what_cannot_be_encoded_is_told_and_stops_nobody(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.store.save_switches([object()])
    assert await daemon.store.save_bounded("cloud", STORED, 2000)
    await asyncio.sleep(0)
    assert "cannot be encoded" in daemon.told[0][1]
    await daemon.store.aclose()


FULL_DISK = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from wgfo.daemon.clock import SystemClock
    from wgfo.daemon.state import StateStore
    from wgfo.daemon.stored import Times
    from wgfo.engine.events import StoredGroup

    async def main():
        told = []
        disk = Path(sys.argv[1])
        times = Times(SystemClock(), "b")
        store = StateStore(disk / "state", "s", times, lambda *say: told.append(say), retry_ms=5)
        assert await store.save_bounded("cloud", StoredGroup("primary", 1), 2000)
        ballast = disk / "ballast"
        try:
            ballast.write_bytes(b"x" * 10**6)
        except OSError:
            pass
        assert not await store.save_bounded("cloud", StoredGroup("secondary", 2), 100)
        assert told and told[0][0] is False and "No space left" in told[0][1], told
        kept = store.load().groups["cloud"].stored
        assert kept == StoredGroup("primary", 1), kept
        ballast.unlink()
        assert await store.save_bounded("cloud", StoredGroup("secondary", 3), 2000)
        await asyncio.sleep(0)
        assert told[-1] == (True, ""), told
        assert store.load().groups["cloud"].stored.epoch == 3
        assert sorted(p.name for p in (disk / "state/groups").iterdir()) == ["cloud.json"]
        assert await store.aclose()
        print("held")

    asyncio.run(main())
    """
)


@pytest.mark.net
def test_a_really_full_disk_keeps_the_old_state_and_recovers(tmp_path):
    script = 'mount -t tmpfs -o size=64k none "$0" && exec "$1" -c "$2" "$0"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(tmp_path), sys.executable, FULL_DISK],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "held"), done.stderr


# --- one process per directory ------------------------------------------------------------------------------


def test_a_second_process_is_told_who_holds_the_directory(tmp_path):
    script = (
        "import sys, pathlib; from wgfo.daemon.lock import StateLock;"
        "lock = StateLock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            StateInUse, match=rf"in use by another wgfo \(process {other.pid}\).*state_dir and con"
        ):
            StateLock(tmp_path)
        other.kill()
        other.wait()
        StateLock(tmp_path).release()


def test_a_released_directory_can_be_taken_again(tmp_path):
    StateLock(tmp_path).release()
    StateLock(tmp_path).release()


# --- the store of the simulator -----------------------------------------------------------------------------


async def test_the_memory_store_answers_as_the_disk_does():
    clock = HandClock()
    told = []
    store = MemoryStore("s", Times(clock, "boot-1"), lambda *say: told.append(say))
    assert await store.save_bounded("cloud", replace(STORED, overrides=(override(clock, for_us=HOUR_US),)))
    clock.boottime += HOUR_US // 2
    assert store.load().groups["cloud"].stored.overrides[0].expires_us == clock.monotonic + HOUR_US // 2
    store.set_working(works=False)
    assert not await store.save_bounded("cloud", replace(STORED, epoch=8))
    store.set_working(works=True)
    assert store.load().groups["cloud"].stored.epoch == 7
    assert [healthy for healthy, _ in told] == [False, True]

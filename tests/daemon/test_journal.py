"""What the engine did can be read back in its order, whatever the disk does."""

from __future__ import annotations

import errno
import itertools

import pytest
from tests.daemon.disks import FaultyFiles, HandClock
from tests.support.netns import eventually

from wgfo.daemon import journal as journal_module
from wgfo.daemon.journal import DiskJournal, MemoryJournal
from wgfo.daemon.records import Gap, Opened, SessionHeader, Stepped, pack
from wgfo.daemon.segments import MAGIC, read_journal
from wgfo.engine.decisions import Rule, Switch
from wgfo.engine.events import RoundClosed, SessionStarted, Tick
from wgfo.engine.policy import GroupPolicy, PathPolicy
from wgfo.model import Outcome, ProbeResult

POLICY = GroupPolicy("cloud", (PathPolicy("primary"), PathPolicy("secondary")))


def header(session="s-1"):
    return SessionHeader(
        session,
        1,
        "2026-01-01T00:00:00.000Z",
        "boot-1",
        {"wgfo": "0.1.0"},
        "abc",
        '{"group":[]}',
        {"cloud": POLICY},
    )


def round_closed(at_us):
    return RoundClosed(at_us, "primary", 0, at_us, (ProbeResult(Outcome.OK, at_us, 900),))


def switch(at_us, epoch=2):
    return Switch(at_us, epoch, "primary", "secondary", Rule.SIGNAL_FAIL, "all targets dead", at_us - 3)


def no_report():
    raise AssertionError("the journal asks for no report")


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    monkeypatch.setattr(journal_module, "BLOCK_S", 0.02)


class Daemon:
    """One life of a daemon that only keeps a journal."""

    def __init__(self, directory, session="s-1", *, max_size=64 * 1024 * 1024, max_age_us=10**15, begin=True):
        self.clock = HandClock()
        self.files = FaultyFiles()
        self.told: list[tuple[bool, str]] = []
        self.journal = DiskJournal(
            directory,
            self.clock,
            lambda: {"cloud": {"epoch": 5}},
            lambda healthy, text: self.told.append((healthy, text)),
            max_size=max_size,
            max_age_us=max_age_us,
            files=self.files,
            retry_ms=5,
        )
        if begin:
            self.journal.begin(header(session))

    def step(self, event, *decisions):
        self.journal.stepped("cloud", event, decisions, no_report)

    def close(self):
        return self.journal.close(5)


def steps(directory):
    return [record for record in read_journal(directory) if isinstance(record, Stepped)]


def gaps(directory):
    return [record for record in read_journal(directory) if isinstance(record, Gap)]


def segments(directory):
    return sorted(directory.glob("journal-*.wgfo"))


def test_a_session_comes_back_in_the_order_of_its_steps(tmp_path):
    daemon = Daemon(tmp_path)
    told = [
        (SessionStarted(1), ()),
        (round_closed(2), ()),
        (Tick(3), (switch(3),)),
        (round_closed(4), ()),
    ]
    for event, decisions in told:
        daemon.step(event, *decisions)
    assert daemon.close()
    assert list(read_journal(tmp_path)) == [
        Opened(header()),
        *(Stepped("cloud", event, decisions) for event, decisions in told),
    ]


def test_a_decision_is_on_the_disk_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "BLOCK_S", 60)
    daemon = Daemon(tmp_path)
    daemon.step(Tick(3), switch(3))
    eventually(lambda: segments(tmp_path) and steps(tmp_path), what="the switch is written")
    daemon.close()


def test_evidence_waits_for_about_a_second_and_is_one_block(tmp_path, monkeypatch):
    daemon = Daemon(tmp_path)
    for at_us in range(500):
        daemon.step(round_closed(at_us))
    daemon.close()
    assert len(steps(tmp_path)) == 500
    assert segments(tmp_path)[0].stat().st_size < 500 * 20


def test_sessions_follow_each_other_in_segments_of_their_own(tmp_path):
    for session in ("s-1", "s-2", "s-3"):
        daemon = Daemon(tmp_path, session)
        daemon.step(Tick(1))
        daemon.close()
    opened = [record.header.session for record in read_journal(tmp_path) if isinstance(record, Opened)]
    assert opened == ["s-1", "s-2", "s-3"]
    assert len(segments(tmp_path)) == 3
    assert gaps(tmp_path) == []


def test_a_changed_configuration_begins_a_session_in_the_same_process(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.step(Tick(1))
    daemon.journal.begin(header("s-2"))
    daemon.step(Tick(2))
    daemon.close()
    kinds = [type(record).__name__ for record in read_journal(tmp_path)]
    assert kinds == ["Opened", "Stepped", "Opened", "Stepped"]


# --- crashes ------------------------------------------------------------------------------------------------


def test_a_crash_at_any_byte_leaves_whole_blocks_and_a_journal_that_goes_on(tmp_path):
    frames = [pack("s-1", 0, [Opened(header())])]
    frames += [pack("s-1", 1 + n, [Stepped("cloud", Tick(n), ())]) for n in range(3)]
    ends = list(itertools.accumulate([len(MAGIC), *map(len, frames)]))
    whole = MAGIC + b"".join(frames)
    path = tmp_path / "journal-0000000000.wgfo"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends[1:]) if cut >= len(MAGIC) else 0
        assert len(list(read_journal(tmp_path))) == complete
    path.write_bytes(whole[:-1])
    daemon = Daemon(tmp_path, "s-2")
    daemon.step(Tick(9))
    daemon.close()
    assert [record.event.at_us for record in steps(tmp_path)] == [0, 1, 9]
    assert path.read_bytes() == whole[:-1]
    assert gaps(tmp_path) == []


def test_a_damaged_byte_ends_its_segment_and_is_reported_as_a_gap(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "CHECKPOINT_US", 10)
    daemon = Daemon(tmp_path)
    for at_us in range(4):
        daemon.clock.pass_us(10)
        daemon.step(Tick(at_us))
    daemon.close()
    first = segments(tmp_path)[1]
    data = bytearray(first.read_bytes())
    data[-5] ^= 0x40
    first.write_bytes(data)
    assert len(gaps(tmp_path)) == 1
    assert "missing before block" in gaps(tmp_path)[0].text


@pytest.mark.parametrize("content", [b"", b"wg", b"something else entirely", MAGIC + b"\xff" * 64])
def test_a_file_that_is_no_segment_of_ours_is_passed_over(tmp_path, content):
    (tmp_path / "journal-0000000003.wgfo").write_bytes(content)
    (tmp_path / "journal-x.wgfo").write_bytes(b"x")
    assert list(read_journal(tmp_path)) == []
    daemon = Daemon(tmp_path)
    daemon.close()
    assert segments(tmp_path)[-2].name == "journal-0000000004.wgfo"


def test_one_segment_can_be_read_by_itself(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.step(Tick(1))
    daemon.close()
    assert len(list(read_journal(segments(tmp_path)[0]))) == 2


# --- bounds -------------------------------------------------------------------------------------------------


def fill(daemon, blocks):
    """Write many small blocks, each one at once."""
    for number in range(blocks):
        daemon.step(Tick(number), switch(number, epoch=number))
        eventually(lambda: not daemon.journal._queue.items, what="the block is taken")


def test_the_journal_stays_within_its_size_and_remains_readable_from_a_checkpoint(tmp_path):
    daemon = Daemon(tmp_path, max_size=32 * 1024)
    fill(daemon, 200)
    daemon.close()
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 32 * 1024
    assert segments(tmp_path)[0].name != "journal-0000000000.wgfo"
    records = list(read_journal(tmp_path))
    assert records[0] == Opened(records[0].header, {"cloud": {"epoch": 5}}, checkpoint=True)
    assert records[0].header.policies == {"cloud": POLICY}
    assert gaps(tmp_path) == []
    ticks = [record.event.at_us for record in records if isinstance(record, Stepped)]
    assert ticks == list(range(ticks[0], 200))


def test_a_segment_that_is_too_old_goes_at_the_next_rotation(tmp_path):
    day_us = 24 * 3600 * 10**6
    for session in ("s-1", "s-2", "s-3"):
        Daemon(tmp_path, session).close()
    old = segments(tmp_path)[0]
    daemon = Daemon(tmp_path, "s-4", max_age_us=day_us, begin=False)
    daemon.clock.wall = int((old.stat().st_mtime + 2 * 24 * 3600) * 10**6)
    daemon.journal.begin(header("s-4"))
    daemon.close()
    assert not old.exists()
    assert len(segments(tmp_path)) == 3  # one a rotation: a clock that jumps cannot empty the journal


def test_a_checkpoint_stands_in_the_journal_every_hour(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.step(Tick(1))
    daemon.clock.pass_us(3600 * 10**6)
    daemon.step(Tick(2))
    daemon.step(Tick(3))
    daemon.close()
    records = list(read_journal(tmp_path))
    assert [type(record).__name__ for record in records] == [
        "Opened",
        "Stepped",
        "Stepped",
        "Opened",
        "Stepped",
    ]
    assert records[3].states == {"cloud": {"epoch": 5}}
    assert records[3].header.at_us == daemon.clock.monotonic


# --- bad disks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_loses_nothing_when_it_takes_again(tmp_path, code):
    daemon = Daemon(tmp_path)
    daemon.step(Tick(1), switch(1))
    eventually(lambda: segments(tmp_path) and steps(tmp_path), what="the first step is written")
    daemon.files.error = OSError(code, "no")
    daemon.step(Tick(2), switch(2))
    eventually(lambda: daemon.told, what="the trouble is told")
    daemon.step(round_closed(3))
    daemon.files.error = None
    eventually(lambda: daemon.told[-1] == (True, ""), what="the disk takes again")
    daemon.step(Tick(4))
    assert daemon.close()
    assert [record.event.at_us for record in steps(tmp_path)] == [1, 2, 3, 4]
    assert gaps(tmp_path) == []
    assert "journal: no; tried again" in daemon.told[0][1]


def test_a_hung_disk_blocks_nobody_and_loses_evidence_first(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "SOFT_LIMIT", 10)
    daemon = Daemon(tmp_path)
    eventually(lambda: daemon.journal._number == 1, what="the session is begun")
    daemon.files.gate.clear()
    daemon.step(Tick(0), switch(0))
    eventually(lambda: not daemon.journal._queue.items, what="the thread hangs in its write")
    for at_us in range(1, 101):
        daemon.step(round_closed(at_us))
    daemon.step(Tick(200))
    daemon.step(round_closed(201), switch(201))
    assert not daemon.journal.healthy
    daemon.files.gate.set()
    eventually(lambda: daemon.told[-1] == (True, ""), what="the disk takes again")
    daemon.step(Tick(300))
    daemon.close()
    records = list(read_journal(tmp_path))
    at = records.index(Gap(90, "left out: the disk did not follow"))
    assert [record.event.at_us for record in records[at + 1 :] if isinstance(record, Stepped)] == [
        200,
        201,
        300,
    ]
    assert isinstance(records[-1], Opened)  # a checkpoint, from which a replay can go on
    assert records[-1].checkpoint


def test_memory_stays_bounded_though_the_disk_hangs_for_days(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "SOFT_LIMIT", 10)
    monkeypatch.setattr(journal_module, "HARD_LIMIT", 50)
    daemon = Daemon(tmp_path)
    eventually(lambda: daemon.journal._number == 1, what="the session is begun")
    daemon.files.gate.clear()
    daemon.step(Tick(0), switch(0))
    eventually(lambda: not daemon.journal._queue.items, what="the thread hangs in its write")
    for at_us in range(500):
        daemon.step(Tick(at_us), switch(at_us))
    assert len(daemon.journal._queue.items) <= 51
    daemon.files.gate.set()
    daemon.close()


def test_a_hung_disk_is_noticed_when_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "HUNG_S", 0.01)
    daemon = Daemon(tmp_path)
    daemon.files.gate.clear()
    daemon.step(Tick(0), switch(0))

    def noticed():
        daemon.step(Tick(1))
        daemon.journal.check()
        return not daemon.journal.healthy

    eventually(noticed, what="the hung disk is noticed")
    daemon.files.gate.set()
    daemon.close()


def test_ending_on_a_disk_that_refuses_says_that_something_is_lost(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.files.error = OSError(errno.ENOSPC, "no")
    daemon.step(Tick(0), switch(0))
    assert daemon.close() is False


def test_a_value_without_a_codec_is_a_gap_and_the_journal_goes_on(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.step(Tick(0), object())
    eventually(lambda: daemon.told, what="the bug is told")
    daemon.step(Tick(1), switch(1))
    daemon.close()
    assert "cannot be encoded" in gaps(tmp_path)[0].text
    assert [record.event.at_us for record in steps(tmp_path)] == [1]


# --- the journal of the simulator ---------------------------------------------------------------------------


def test_the_memory_journal_keeps_the_same_records(tmp_path):
    memory = MemoryJournal()
    daemon = Daemon(tmp_path)
    memory.begin(header())
    for event, decisions in [(SessionStarted(1), ()), (Tick(2), (switch(2),))]:
        daemon.step(event, *decisions)
        memory.stepped("cloud", event, decisions, no_report)
    daemon.close()
    assert list(memory.records) == list(read_journal(tmp_path))


def test_a_bounded_memory_journal_keeps_the_latest():
    memory = MemoryJournal(limit=3)
    for at_us in range(10):
        memory.stepped("cloud", Tick(at_us), (), no_report)
    assert [record.event.at_us for record in memory.records] == [7, 8, 9]

"""What records is right about what it records."""

from __future__ import annotations

import pytest

from wgfo.plugin import Withdrawn
from wgfo.testing import RecordingPermit, RequestLog, WithdrawAfter


async def test_a_permit_counts_what_it_lets_out() -> None:
    permit = RecordingPermit()
    await permit.write()
    await permit.read()
    await permit.read()
    assert (permit.writes, permit.reads, permit.refused) == (1, 2, 0)


async def test_a_permit_lapses_after_so_many_writes_and_stays_lapsed() -> None:
    permit = WithdrawAfter(1)
    await permit.write()
    for ask in (permit.write, permit.read):
        with pytest.raises(Withdrawn, match="after 1 writes"):
            await ask()
    assert (permit.writes, permit.reads, permit.refused) == (1, 0, 2)


async def test_a_permit_lapses_at_its_deadline() -> None:
    permit = RecordingPermit(deadline_ms=0)
    assert permit.remaining_ms() == 0
    with pytest.raises(Withdrawn, match="deadline"):
        await permit.read()


async def test_a_withdrawn_permit_says_why() -> None:
    permit = RecordingPermit()
    permit.withdraw("the lease was lost")
    permit.withdraw("something else")
    with pytest.raises(Withdrawn, match="the lease was lost"):
        await permit.write()


def test_the_log_holds_each_request_against_the_permits_given_so_far() -> None:
    log = RequestLog()
    log.granted = {True: 3, False: 1}.__getitem__
    with log.write("t", "p"), log.write("t", "q"):
        assert log.under_way() == 2
    with log.read("t"):
        pass
    found = [(one.write, one.prefix, one.granted, one.received) for one in log.requests]
    assert found == [(True, "p", 3, 1), (True, "q", 3, 2), (False, "", 1, 1)]
    assert (log.writes, log.reads, log.most_at_once("t"), log.under_way()) == (2, 1, 2, 0)

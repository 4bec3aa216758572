"""What this host's own errors say of a path."""

from __future__ import annotations

import errno

import pytest

from wgfo.model import Outcome, ProbeResult
from wgfo.probes.verdicts import of_error


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        *((n, Outcome.LOST) for n in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENODEV)),
        *((n, Outcome.LOST) for n in (errno.ENOKEY, errno.EDESTADDRREQ, errno.ECONNREFUSED, errno.ETIMEDOUT)),
        *(
            (n, Outcome.UNKNOWN)
            for n in (errno.EPERM, errno.ENOBUFS, errno.EAGAIN, errno.EMFILE, errno.EPROTO)
        ),
        (errno.EMSGSIZE, Outcome.TOO_BIG),
    ],
)
def test_each_error_has_one_outcome_and_a_reason(number: int, outcome: Outcome) -> None:
    result = of_error(OSError(number, "x"), 5)
    assert (result.outcome, result.sent_us, result.rtt_us) == (outcome, 5, 0)
    assert result.reason


def test_an_error_that_nobody_foresaw_is_unknown_and_named() -> None:
    reason = "this host refused: EPROTO"
    assert of_error(OSError(errno.EPROTO, "x"), 1) == ProbeResult(Outcome.UNKNOWN, 1, reason=reason)

"""One round outside the daemon, for one-shot validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pydantic import BaseModel

from wgfo.model import ProbeResult
from wgfo.plugin import Mode, ProbeContext, ProbeError, ProbeOffer, RoundProbe


async def probe_once(
    offer: ProbeOffer,
    context: ProbeContext,
    options: BaseModel,
    addresses: Sequence[str],
    stagger_us: int = 0,
) -> Sequence[ProbeResult]:
    """Open a probe, send one round to ``addresses`` (resolved already), close it, and return the results.

    Raises:
        ProbeError: the probe cannot run at all, or it is of a kind that has no rounds.
    """
    if offer.mode is not Mode.ROUND:
        raise ProbeError(
            f"probes of kind {offer.kind!r} report by themselves: they have no rounds to ask for"
        )
    probe = cast("RoundProbe", offer.open(context, options))
    await probe.open()
    try:
        return await probe.round(addresses, stagger_us)
    finally:
        await probe.aclose()

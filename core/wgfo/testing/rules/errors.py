"""Rule 10: no SDK exception escapes; every error has its kind; secrets stand in none of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import pytest

from wgfo.model import FailureKind
from wgfo.plugin import ProviderError
from wgfo.testing.bench import Bench
from wgfo.testing.rules import Rule
from wgfo.testing.world import Can

_KINDS: Final = {
    Can.THROTTLE: {FailureKind.TRANSIENT},
    Can.DENY: {FailureKind.DENIED},
    Can.GONE: {FailureKind.NOT_FOUND},
    Can.BREAK: {FailureKind.TRANSIENT, FailureKind.UNKNOWN, FailureKind.UNSUPPORTED},
}
FAULTS: Final = pytest.mark.parametrize("fault", _KINDS)
READS: Final[tuple[Can, ...]] = (Can.THROTTLE, Can.DENY, Can.BREAK, Can.STALL)
WRITES: Final[tuple[Can, ...]] = (
    *(Can.REFUSE, Can.FAIL_LATER, Can.LOSE_ANSWER, Can.RACE),
    *(Can.THROTTLE, Can.DENY, Can.BREAK, Can.STALL, Can.GONE),
)


class ErrorsAreTranslated(Rule):
    """Rule 10."""

    rule = 10

    @FAULTS
    async def test_an_error_of_a_read_has_its_kind(self, bench: Bench, fault: Can) -> None:
        bench.require(fault)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.inject(fault, bench.spot(writes=False))
        with pytest.raises(ProviderError) as raised:
            await bench.observe(provider, one)
        assert raised.value.kind in _KINDS[fault], (
            f"Can.{fault.name}: {raised.value!r} is {raised.value.kind}"
        )
        assert str(raised.value), "an error says what is wrong"
        if fault is Can.THROTTLE:
            _assert_retry_after(bench, raised.value.retry_after_ms)

    @FAULTS
    async def test_an_error_of_a_write_has_its_kind(self, bench: Bench, fault: Can) -> None:
        bench.require(fault)
        one = bench.route_set()
        provider = await bench.open(one)
        await bench.inject(fault)
        outcome = await bench.point(provider, one, bench.a)
        found = {failure.kind for failure in outcome.failures}
        assert found, f"Can.{fault.name} was injected: {outcome}"
        assert found <= _KINDS[fault], f"Can.{fault.name}: {outcome.failures}"
        assert all(failure.text for failure in outcome.failures), "an error says what is wrong"
        if fault is Can.THROTTLE:
            named = [failure.retry_after_ms for failure in outcome.failures if failure.retry_after_ms]
            _assert_retry_after(bench, max(named, default=None))

    @FAULTS
    async def test_opening_and_checking_fail_by_errors_of_the_contract_alone(
        self, bench: Bench, fault: Can
    ) -> None:
        bench.require(fault)
        provider = await bench.open()
        await bench.inject(fault, bench.spot(writes=False))
        with contextlib.suppress(ProviderError):
            findings = await bench.check(provider, bench.route_set())
            assert all(one.text for one in findings), "a finding says what was found"
        with contextlib.suppress(ProviderError):
            await bench.open()

    async def test_no_secret_is_shown_whatever_goes_wrong(self, bench: Bench) -> None:
        if not bench.world.secrets:
            pytest.skip(f"{type(bench.world).__name__} plants no secrets: the provider has none")
        for fault in filter(bench.world.can.__contains__, READS):
            await _gone_through(bench, fault, writes=False)
        for fault in filter(bench.world.can.__contains__, WRITES):
            await _gone_through(bench, fault, writes=True)
        shown = [text for text in bench.texts for secret in bench.world.secrets if secret in text]
        assert not shown, f"a secret stands in {shown[0]!r}"

    async def test_the_options_hide_their_secrets(self, bench: Bench) -> None:
        texts = (repr(bench.options), str(bench.options), bench.options.model_dump_json())
        shown = [text for text in texts for secret in bench.world.secrets if secret in text]
        assert not shown, "a secret stands in the options' text: declare it as pydantic.SecretStr"


def _assert_retry_after(bench: Bench, found_ms: int | None) -> None:
    expected_ms = bench.world.retry_after_ms
    if expected_ms is not None:
        assert found_ms == expected_ms, (
            f"the platform said retry after {expected_ms} ms, the error {found_ms}"
        )


async def _gone_through(bench: Bench, fault: Can, *, writes: bool) -> None:
    """Have every call fail once; ``bench.texts`` keeps what was said. What escapes is another test's."""
    one = bench.route_set(adopt=True)
    provider = await bench.open(one)
    await bench.moved(provider, one, bench.a)
    await bench.inject(fault, bench.spot(writes=writes))
    deadline_ms = bench.world.deadline_ms
    calls = (
        bench.point(provider, one, bench.b, permit=bench.permit(deadline_ms=deadline_ms), owned=True),
        bench.observe(provider, one, permit=bench.permit(deadline_ms=deadline_ms)),
        bench.check(provider, one, permit=bench.permit(deadline_ms=deadline_ms)),
        bench.open(one, permit=bench.permit(deadline_ms=deadline_ms)),
    )
    await asyncio.gather(*calls, return_exceptions=True)
    await bench.world.heal()

"""Redaction, back-off, and the patience with a plugin."""

import asyncio

import pytest
from tests.daemon.fakes import SECOND_US, play

from wgfo.daemon.guard import patiently, redact, say
from wgfo.plugin import Transient


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET https://bob:hunter2@example.org/x failed", "hunter2"),
        ("Authorization: Bearer abcdefgh12345678 refused", "abcdefgh12345678"),
        ("client_secret=verysecret is wrong", "verysecret"),
        ("X-Auth-Token: gAAAAABk123456789", "gAAAAABk123456789"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "AKIAIOSFODNN7EXAMPLE"),
        ("key yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk= is unknown", "yAnz5TF+lXXJte14tji3zlMNq"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text, secret):
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


def test_an_ordinary_sentence_stays_as_it_is():
    text = "rtb-0aaa: the route 10.20.0.0/16 points at eni-0bbb (token bucket empty)"
    assert redact(text) == text


def test_a_text_is_one_bounded_line():
    assert "\n" not in redact("a\nb")
    assert len(redact("x y " * 1000)) < 500


def test_our_own_errors_are_sentences_and_others_are_named_as_bugs():
    assert say(Transient("throttled")) == "throttled"
    assert say(KeyError("x")) == "bug in a plugin: KeyError: 'x'"
    assert say(TimeoutError()) == "no answer in time"


def test_what_is_given_up_is_cancelled():
    async def scenario(clock, _spawn):
        ended = []

        async def hang() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(clock.monotonic_us())

        begun = clock.monotonic_us()
        with pytest.raises(TimeoutError):
            await patiently(hang(), SECOND_US, SECOND_US)
        await asyncio.sleep(0)
        assert ended == [begun + 2 * SECOND_US]

    play(scenario)


def test_a_stall_is_not_held_against_the_plugin():
    async def scenario(clock, _spawn):
        async def quick() -> str:
            await asyncio.sleep(0.5)
            return "done"

        asyncio.get_running_loop().call_later(0.1, clock.advance, 10 * SECOND_US)
        assert await patiently(quick(), SECOND_US, SECOND_US) == "done"

    play(scenario)

"""The door to the SDK: whose credentials, which requests get out, and what a stalled thread may still do."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from plugins.aws.tests.cloud import REGION, Server
from plugins.aws.tests.rig import A, B, Rig, rig_on

from wgfo.model import FailureKind
from wgfo.plugin import Denied, NotFound, Transient, Unsupported
from wgfo.testing import RecordingPermit
from wgfo_aws.config import AwsOptions
from wgfo_aws.sdk import Gate, Withheld

ROLE = "arn:aws:iam::111122223333:role/wgfo"
ONE = "10.20.0.0/16"


async def test_without_credentials_it_says_how_to_give_them(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for options in (rig.options, rig.options.model_copy(update={"role_arn": ROLE})):
        with pytest.raises(Denied, match="give the instance a role"):
            async with rig.open(options=options):
                pass


async def test_without_a_region_it_does_not_fall_back_to_another_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(Unsupported, match="region"):
        async with rig.open(options=AwsOptions(endpoint_url=rig.url)):
            pass


async def test_an_unknown_profile_is_named(rig: Rig) -> None:
    with pytest.raises(Denied, match="nobody"):
        async with rig.open(options=rig.options.model_copy(update={"profile": "nobody"})):
            pass


async def test_a_profile_gives_region_and_credentials(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (tmp_path / "config").write_text(
        f"[profile net]\nregion = {REGION}\naws_access_key_id = AKIANET\naws_secret_access_key = s\n"
    )
    async with rig.open(options=AwsOptions(profile="net", endpoint_url=rig.url)) as provider:
        assert (await rig.point(provider, rig.set(), A)).ok


async def test_a_role_is_assumed_once_and_used_for_every_request(aws_server: Server) -> None:
    with rig_on(aws_server, account="111122223333") as rig:
        options = rig.options.model_copy(update={"role_arn": ROLE})
        async with rig.open(options=options) as provider:
            assert (await rig.point(provider, rig.set(), A)).ok
            await rig.observe(provider, rig.set())
        assert rig.sent("AssumeRole") == 1
        assumed = next(one for one in rig.cloud.seen if one.action == "AssumeRole")
        assert (assumed.form["RoleArn"], assumed.form["RoleSessionName"]) == (ROLE, "wgfo")


async def test_the_wrong_account_finds_no_table(rig: Rig) -> None:
    options = rig.options.model_copy(update={"role_arn": ROLE})
    async with rig.open(options=options) as provider:
        with pytest.raises(NotFound, match="role_arn"):
            await rig.observe(provider, rig.set())


async def test_an_api_that_is_out_of_reach_is_transient(rig: Rig) -> None:
    with pytest.raises(Transient, match="no connection"):
        async with rig.open(options=AwsOptions(region=REGION, endpoint_url="http://127.0.0.1:1")):
            pass


async def test_a_write_that_found_no_connection_was_not_done(rig: Rig) -> None:
    one = rig.set(ONE)
    async with rig.open(one) as provider:
        observed = await rig.observe(provider, one)
        provider._ec2._client.meta.events.register_first(
            "before-sign.ec2", lambda request, **_: _astray(request)
        )
        outcome = await rig.point(provider, one, A, observed=observed)
    assert [each.kind for each in outcome.failures] == [FailureKind.TRANSIENT]


def _astray(request: Any) -> None:
    request.url = "http://127.0.0.1:1/"


async def test_a_thread_that_hung_sends_no_write_after_its_call_has_ended(rig: Rig) -> None:
    """As when credentials cannot be renewed: the request is signed long after the failover was given up."""
    one = rig.set(ONE)
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        signing, go_on = threading.Event(), threading.Event()

        def hang(operation_name: str, **_: object) -> None:
            if operation_name == "ReplaceRoute":
                signing.set()
                go_on.wait(10)

        provider._ec2._client.meta.events.register_first("before-sign.ec2", hang)
        call = asyncio.ensure_future(rig.point(provider, one, B))
        while not signing.is_set():  # noqa: ASYNC110 - it happens in a thread
            await asyncio.sleep(0.005)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go_on.set()
    assert rig.standing(one) == {one.hops[A]}
    assert rig.sent("ReplaceRoute") == 0


async def test_a_write_that_could_not_be_sent_in_time_was_not_done(rig: Rig) -> None:
    one = rig.set(ONE)
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        go_on = threading.Event()

        def hang(operation_name: str, **_: object) -> None:
            if operation_name == "ReplaceRoute":
                go_on.wait(10)

        provider._ec2._client.meta.events.register_first("before-sign.ec2", hang)
        outcome = await rig.point(provider, one, B, permit=RecordingPermit(deadline_ms=500))
        go_on.set()
    assert [each.kind for each in outcome.failures] == [FailureKind.TRANSIENT], "not outcome_unknown"
    assert rig.sent("ReplaceRoute") == 0


def test_a_gate_lets_nothing_out_once_it_is_closed_or_too_late() -> None:
    gate = Gate(lifetime_s=60)
    gate.pass_through()
    assert gate.close(), "it was sent"
    late = Gate(lifetime_s=-1)
    for shut in (gate, late):
        with pytest.raises(Withheld):
            shut.pass_through()
    assert not late.close()


async def test_closing_does_not_wait_for_a_server_that_never_answers(rig: Rig) -> None:
    one = rig.set(ONE)
    async with rig.open(one) as provider:
        rig.cloud.faults.stall_reads = True
        with pytest.raises(Transient):
            await provider.observe((one,), RecordingPermit(deadline_ms=200))
        begun = time.monotonic()
        await provider.aclose()
        assert time.monotonic() - begun < 3.5


async def test_reads_find_a_thread_while_every_write_stalls(rig: Rig) -> None:
    sets = [rig.set(*(f"10.{n}.0.0/16" for n in range(20, 40)), table=rig.cloud.table()) for _ in range(4)]
    async with rig.open(*sets) as provider:
        rig.cloud.faults.latency_ms = 700
        calls = [asyncio.ensure_future(rig.point(provider, one, A)) for one in sets]
        while rig.log.under_way() < 32:  # noqa: ASYNC110 - it happens in threads
            await asyncio.sleep(0.005)
        rig.cloud.faults.latency_ms = 0
        permit = RecordingPermit(deadline_ms=600)
        assert len(await provider.observe(sets, permit)) == 4
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

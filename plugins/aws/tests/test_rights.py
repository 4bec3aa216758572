"""The policy that is handed out is the least that works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from plugins.aws.tests.rig import A, Rig

from wgfo.testing import RecordingPermit
from wgfo_aws.config import AwsOptions
from wgfo_aws.plugin import AWS
from wgfo_aws.rights import policy

ROLE = "arn:aws-cn:iam::111122223333:role/wgfo"


def statements(text: str) -> dict[str, dict[str, object]]:
    return {one["Sid"]: one for one in json.loads(text)["Statement"]}


def test_writes_are_allowed_in_these_tables_alone(rig: Rig) -> None:
    sets = [rig.set(), rig.set(table="rtb-0aaa1")]
    found = statements(policy(sets, AwsOptions(region="eu-central-1")))
    assert found["PointRoutes"]["Action"] == ["ec2:CreateRoute", "ec2:ReplaceRoute"]
    assert found["PointRoutes"]["Resource"] == sorted(
        f"arn:aws:ec2:eu-central-1:*:route-table/{one.table}" for one in sets
    )
    assert found["ReadRoutes"]["Condition"] == {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
    assert "ReadLists" not in found


def test_account_and_partition_come_from_the_role(rig: Rig) -> None:
    found = statements(policy([rig.set()], AwsOptions(region="cn-north-1", role_arn=ROLE)))
    assert found["PointRoutes"]["Resource"] == [
        f"arn:aws-cn:ec2:cn-north-1:111122223333:route-table/{rig.table}"
    ]


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
)
def test_the_partition_is_the_regions(rig: Rig, region: str, partition: str) -> None:
    assert f"arn:{partition}:ec2:{region}:" in policy([rig.set()], AwsOptions(region=region))


def test_lists_are_read_one_by_one(rig: Rig) -> None:
    found = statements(policy([rig.set("pl-0aaa1")], AwsOptions()))
    assert found["ReadLists"]["Resource"] == ["arn:aws:ec2:*:*:prefix-list/pl-0aaa1"]


async def test_nothing_is_asked_of_ec2_that_the_policy_does_not_allow(rig: Rig) -> None:
    one = rig.set("10.20.0.0/16", rig.cloud.prefix_list("10.30.0.0/16"))
    async with rig.open(one) as provider:
        await rig.point(provider, one, A)
        await rig.observe(provider, one)
        await provider.check((one,), RecordingPermit())
    assert AWS.permissions is not None
    allowed = [
        action
        for each in statements(AWS.permissions([one], rig.options)).values()
        for action in each["Action"]
    ]  # type: ignore[attr-defined]
    assert {f"ec2:{action}" for action in rig.cloud.actions} <= set(allowed)


def test_the_documented_policy_is_the_one_that_is_written(rig: Rig) -> None:
    text = (Path(__file__).parents[1] / "permissions.md").read_text()
    shown = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    one = rig.set(table="rtb-0123456789abcdef0")
    written = json.loads(policy([one], AwsOptions(region="eu-central-1")).replace(":*:", ":111122223333:"))
    assert json.loads(shown.group(1)) == written

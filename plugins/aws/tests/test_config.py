"""What an operator may write, and what is said of everything else."""

from __future__ import annotations

import pytest
from botocore.session import Session
from pydantic import ValidationError

from wgfo_aws.config import AwsOptions, parse_destination, parse_hop, parse_table, scope
from wgfo_aws.point import parameters
from wgfo_aws.targets import FIELDS, KINDS

OPTIONS = AwsOptions()
CORE = "arn:aws:networkmanager::111122223333:core-network/core-network-0123456789abcdef0"
ROLE = "arn:aws-cn:iam::111122223333:role/team/wgfo"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "arn"])
def test_every_kind_of_target_is_a_next_hop(kind: str) -> None:
    assert parse_hop(f" {kind.upper()}-0AAA1 ", OPTIONS) == f"{kind}-0aaa1"


def test_a_core_network_is_a_next_hop_by_its_arn() -> None:
    assert parse_hop(CORE, OPTIONS) == CORE


@pytest.mark.parametrize(
    "text", ["local", "", "10.0.0.1", "eni", "eni-xyz", "subnet-0123456789abcdef0", "i-", "dev wg0"]
)
def test_anything_else_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="accepted: eni-"):
        parse_hop(text, OPTIONS)


def test_tables_are_ids() -> None:
    assert parse_table("RTB-0123456789ABCDEF0", OPTIONS) == "rtb-0123456789abcdef0"
    with pytest.raises(ValueError, match="accepted is its id"):
        parse_table("main", OPTIONS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.20.0.0/16", "10.20.0.0/16"),
        ("FD20:0::/32", "fd20::/32"),
        ("pl-0123456789ABCDEF0", "pl-0123456789abcdef0"),
    ],
)
def test_destinations_are_networks_and_prefix_lists(text: str, found: str) -> None:
    assert parse_destination(text, OPTIONS) == found


def test_host_bits_are_refused_with_the_network() -> None:
    with pytest.raises(ValueError, match=r"10\.20\.0\.0/16"):
        parse_destination("10.20.0.1/16", OPTIONS)


@pytest.mark.parametrize(
    ("keys", "accepted"),
    [
        ({"region": "europe"}, "eu-central-1"),
        ({"role_arn": "wgfo"}, "arn:aws:iam::111122223333:role/wgfo"),
        ({"endpoint_url": "http://10.0.0.9:5000"}, "loopback"),
        ({"endpoint_url": "http://ec2.example.org"}, "loopback"),
        ({"endpoint_url": "https://user:word@ec2.example.org"}, "no endpoint"),
        ({"endpoint_url": "ec2.example.org"}, "no endpoint"),
        ({"access_key": "x"}, "access_key"),
    ],
)
def test_options_that_cannot_work_are_refused(keys: dict[str, str], accepted: str) -> None:
    with pytest.raises(ValidationError, match=accepted):
        AwsOptions(**keys)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:5000/x", "http://[::1]:5000", "http://localhost:1", "https://ec2.example.org"]
)
def test_plain_http_is_for_loopback(url: str) -> None:
    assert AwsOptions(endpoint_url=url).emulated is url.startswith("http:")


def test_the_scope_is_account_and_region_as_far_as_options_tell() -> None:
    assert scope(AwsOptions(role_arn=ROLE, region="cn-north-1")) == "111122223333/cn-north-1"
    assert scope(AwsOptions(profile="net", region="eu-west-1")) == "profile:net/eu-west-1"
    assert scope(AwsOptions()) == "profile:default/default region"


def test_two_roles_of_one_account_share_a_budget() -> None:
    other = AwsOptions(role_arn=ROLE.replace("team/wgfo", "other"), region="cn-north-1", profile="p")
    assert scope(other) == scope(AwsOptions(role_arn=ROLE, region="cn-north-1"))


@pytest.mark.parametrize("hop", [*(f"{kind}-0aaa1" for kind in KINDS if kind != "arn"), CORE])
@pytest.mark.parametrize("operation", ["CreateRoute", "ReplaceRoute"])
def test_every_kind_is_written_with_a_field_that_the_api_has(hop: str, operation: str) -> None:
    model = Session().get_service_model("ec2").operation_model(operation)
    for prefix in ("10.20.0.0/16", "fd20::/32", "pl-0aaa1"):
        assert set(parameters("rtb-0aaa1", prefix, hop)) <= set(model.input_shape.members)


def test_every_field_that_names_a_target_is_read() -> None:
    members = Session().get_service_model("ec2").shape_for("Route").members
    rest = {name for name in members if name.startswith("Destination")} | {
        "Origin",
        "State",
        "InstanceOwnerId",
    }
    assert set(FIELDS) == set(members) - rest
    assert {kind.field for kind in KINDS.values()} <= set(FIELDS)

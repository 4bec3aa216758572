"""Options, networks and next hops in every spelling that is accepted, and why others are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugins.gcp.tests.stage import A, route_set
from pydantic import ValidationError

from wgfo_gcp.config import GcpOptions
from wgfo_gcp.hops import Balancer, Balancers, HopKind, HopSpec, found_hop, read_hop
from wgfo_gcp.plugin import GCP

OPTIONS = GcpOptions(project="my-net-1")


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("instance:europe-west1-b/gw-a", "instance:europe-west1-b/gw-a"),
        ("ip:10.0.0.9", "ip:10.0.0.9"),
        ("ip:2001:DB8:0::9", "ip:2001:db8::9"),
        ("ilb:gateways", "ilb:gateways"),
        ("ilb:europe-west1/gateways", "ilb:europe-west1/gateways"),
        ("ilb:10.0.0.9", "ilb:10.0.0.9"),
        ("vpn-tunnel:europe-west1/branch", "vpn-tunnel:europe-west1/branch"),
        ("  ip:10.0.0.9 ", "ip:10.0.0.9"),
    ],
)
def test_a_next_hop_has_one_spelling(text: str, spelled: str) -> None:
    assert GCP.parse_hop(text, OPTIONS) == spelled


@pytest.mark.parametrize(
    "text",
    [
        *("gw-a", "instance:gw-a", "instance:z/", "instance:Z/gw", "instance:a/b/c", "ip:gw", "ip:0.0.0.0"),
        *("ip:127.0.0.1", "vpn-tunnel:branch", "ilb:", "nat:x", "instance:10.0.0.1"),
    ],
)
def test_what_is_no_next_hop_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match=r"accepted|cannot be"):
        GCP.parse_hop(text, OPTIONS)


@pytest.mark.parametrize("text", ["Prod", "", "projects/x/global/networks/prod", "a" * 64, "prod-"])
def test_a_network_is_its_name(text: str) -> None:
    with pytest.raises(ValueError, match="accepted is its name"):
        GCP.parse_table(text, OPTIONS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"project": "My Project"}, "accepted is a project's id"),
        ({"project": "my-net-1", "priority": 65_535}, "less than or equal to 65534"),
        ({"project": "my-net-1", "tags": ["Web"]}, "network tag"),
        ({"project": "my-net-1", "endpoint_url": "http://compute.example"}, "loopback"),
        ({"project": "my-net-1", "endpoint_url": "ftp://127.0.0.1"}, "no endpoint"),
        ({"endpoint_url": "http://127.0.0.1:9"}, "project must be given"),
        ({"zone": "x"}, "Extra inputs"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GcpOptions.model_validate(options)


def test_a_password_in_an_endpoint_is_not_shown() -> None:
    with pytest.raises(ValidationError) as raised:
        GcpOptions(project="my-net-1", endpoint_url="https://user:hunter2@compute.example")
    assert "hunter2" not in str(raised.value.errors(include_input=False))


def test_tags_are_a_set() -> None:
    assert GcpOptions(project="my-net-1", tags=("b", "a", "b")).tags == ("a", "b")


def test_budgets_are_shared_by_project() -> None:
    assert GCP.scope(OPTIONS) == "my-net-1"
    assert GCP.scope(GcpOptions()) == "default project"


@pytest.mark.parametrize(
    "base", ["https://www.googleapis.com/compute/v1/", "https://compute.googleapis.com/", ""]
)
def test_a_next_hop_is_known_by_its_url_whatever_the_host(base: str) -> None:
    url = f"{base}projects/my-net-1/zones/europe-west1-b/instances/gw-a"
    assert found_hop(HopKind.INSTANCE, url, "my-net-1") == read_hop("instance:europe-west1-b/gw-a")


def test_an_instance_of_another_project_is_another_one() -> None:
    url = "https://www.googleapis.com/compute/v1/projects/other/zones/europe-west1-b/instances/gw-a"
    assert found_hop(HopKind.INSTANCE, url, "my-net-1") is None


def test_a_load_balancer_is_the_same_by_name_by_region_and_by_address() -> None:
    known = Balancers({"gateways": Balancer("europe-west1", "10.0.0.9")})
    by_url = HopSpec(HopKind.BALANCER, "gateways", "europe-west1")
    by_address = HopSpec(HopKind.BALANCER, "10.0.0.9")
    for spelled in ("ilb:gateways", "ilb:europe-west1/gateways", "ilb:10.0.0.9"):
        assert known.same(read_hop(spelled), by_url)
        assert known.same(read_hop(spelled), by_address)
    assert not known.same(read_hop("ilb:elsewhere/gateways"), by_url)
    assert not known.same(read_hop("ip:10.0.0.9"), by_address)


def test_the_page_about_rights_shows_the_role_for_instances() -> None:
    options = GcpOptions(project="my-net-1")
    assert GCP.permissions is not None
    made = GCP.permissions([route_set(options)], options).splitlines()
    page = (Path(__file__).parents[1] / "permissions.md").read_text().splitlines()
    assert set(made) - set(page) == {line for line in made if line.startswith("# Routes in")}


def test_the_role_names_what_these_next_hops_need_and_no_more() -> None:
    options = GcpOptions(project="my-net-1")
    assert GCP.permissions is not None
    text = GCP.permissions([route_set(options, hops={A: "ip:10.0.0.9"})], options)
    assert "- compute.routes.delete\n" in text
    assert "- compute.instances.list\n" in text
    assert "vpnTunnels" not in text
    assert "update" not in text.replace("networks.updatePolicy", "")

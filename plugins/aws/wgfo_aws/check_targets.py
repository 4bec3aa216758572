"""Preflight of next hops: is the interface there, attached to a running instance, and may it forward?

Everything is read through the interfaces: an instance's own attributes tell of its first one only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from wgfo.model import Finding, Severity
from wgfo.plugin import Permit
from wgfo_aws.sdk import Answer, Ec2
from wgfo_aws.targets import INSTANCE, INTERFACE, kind_of

T = TypeVar("T")
NAMES: Final = 200
MOST_PAGES: Final = 20
_FORWARD: Final = "aws ec2 modify-network-interface-attribute --no-source-dest-check --network-interface-id"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface behind a next hop."""

    id: str
    vpc: str
    attached: bool
    checked: bool
    """Whether EC2 drops packets that are neither from nor for its own addresses."""
    instance: str = ""
    running: bool = True
    state: str = ""
    several: int = 1
    """How many interfaces its instance has."""


@dataclass(frozen=True, slots=True)
class Target:
    """A next hop, what was found of it, and the VPCs of the tables that point at it."""

    hop: str
    found: Interface | None
    vpcs: frozenset[str]


async def interfaces(ec2: Ec2, hops: Collection[str], permit: Permit) -> Mapping[str, Interface]:
    """Find the interfaces of those hops that are interfaces or instances, by hop.

    Raises:
        ProviderError: EC2 refuses or does not answer.
    """
    named = sorted(hop for hop in hops if kind_of(hop).parameter == INTERFACE)
    owners = sorted(hop for hop in hops if kind_of(hop).parameter == INSTANCE)
    found = await _described(ec2, "network-interface-id", named, permit)
    found += await _described(ec2, "attachment.instance-id", owners, permit)
    instances = sorted({one.instance for one in found if one.instance} | set(owners))
    states = await _states(ec2, instances, permit)
    return _by_hop(found, named, owners, states)


def _by_hop(
    found: Sequence[Interface], named: Sequence[str], owners: Sequence[str], states: Mapping[str, str]
) -> Mapping[str, Interface]:
    by_id = {one.id: _with_state(one, states) for one in found}
    of_instance: dict[str, list[Interface]] = defaultdict(list)
    for one in by_id.values():
        of_instance[one.instance].append(one)
    hops = {name: by_id[name] for name in named if name in by_id}
    for owner in owners:
        if of_instance[owner]:
            first, count = of_instance[owner][0], len(of_instance[owner])
            hops[owner] = Interface(
                first.id, first.vpc, first.attached, first.checked, owner, first.running, first.state, count
            )
    return hops


def _with_state(one: Interface, states: Mapping[str, str]) -> Interface:
    state = states.get(one.instance, "")
    running = state in {"running", ""}
    return Interface(one.id, one.vpc, one.attached, one.checked, one.instance, running, state)


def judged(target: Target) -> Iterator[Finding]:
    """Say what keeps a hop from forwarding."""
    hop, one = target.hop, target.found
    if kind_of(hop).parameter not in {INTERFACE, INSTANCE}:
        return
    if one is None:
        words = kind_of(hop).words
        yield _error(hop, f"there is no {words} {hop} here", "correct next_hop, region, profile or role_arn")
        return
    if kind_of(hop).parameter == INSTANCE and one.several > 1:
        text = f"{hop} has {one.several} interfaces: EC2 refuses it as a next hop"
        yield _error(hop, text, "name the interface (eni-…) that is to forward")
    if not one.attached:
        yield _error(
            hop, f"{hop} is attached to nothing: a route to it drops everything", "attach it to its gateway"
        )
    if not one.running:
        yield _error(hop, f"instance {one.instance} of {hop} is {one.state}", "start it")
    if one.checked:
        text = f"the source/destination check of {one.id} is on: EC2 drops what it should forward"
        yield _error(hop, text, f"`{_FORWARD} {one.id}`")
    if target.vpcs and one.vpc not in target.vpcs:
        text = f"{hop} is in {one.vpc}, the tables in {', '.join(sorted(target.vpcs))}"
        yield _error(hop, text, "a route points at an interface of its own VPC: correct tables or next_hop")


def _error(subject: str, text: str, remedy: str) -> Finding:
    return Finding(Severity.ERROR, subject, text, remedy)


async def _described(ec2: Ec2, name: str, values: Sequence[str], permit: Permit) -> list[Interface]:
    found: list[Interface] = []
    for start in range(0, len(values), NAMES):
        asked = {"Filters": [{"Name": name, "Values": list(values[start : start + NAMES])}]}
        found += await _pages(ec2, "describe_network_interfaces", asked, _interfaces, permit)
    return found


async def _states(ec2: Ec2, names: Sequence[str], permit: Permit) -> dict[str, str]:
    states: dict[str, str] = {}
    for start in range(0, len(names), NAMES):
        asked = {"Filters": [{"Name": "instance-id", "Values": list(names[start : start + NAMES])}]}
        states.update(await _pages(ec2, "describe_instances", asked, _instances, permit))
    return states


async def _pages(
    ec2: Ec2,
    operation: str,
    asked: Mapping[str, Any],
    into: Callable[[Answer], list[T]],
    permit: Permit,
) -> list[T]:
    def page(answer: Answer) -> tuple[list[T], str]:
        return into(answer), answer.get("NextToken") or ""

    found: list[T] = []
    following: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        some, token = await ec2.read(permit, "reading next hops", operation, {**asked, **following}, page)
        found += some
        if not token:
            break
        following = {"NextToken": token}
    return found


def _interfaces(answer: Answer) -> list[Interface]:
    return [
        Interface(
            id=str(one["NetworkInterfaceId"]),
            vpc=str(one.get("VpcId", "")),
            attached=one.get("Attachment", {}).get("Status") == "attached",
            checked=bool(one.get("SourceDestCheck")) and one.get("InterfaceType", "interface") == "interface",
            instance=str(one.get("Attachment", {}).get("InstanceId", "")),
        )
        for one in answer.get("NetworkInterfaces", ())
    ]


def _instances(answer: Answer) -> list[tuple[str, str]]:
    return [
        (str(one["InstanceId"]), str(one.get("State", {}).get("Name", "")))
        for reservation in answer.get("Reservations", ())
        for one in reservation.get("Instances", ())
    ]

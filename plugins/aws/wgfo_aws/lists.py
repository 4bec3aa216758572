"""What is in a managed prefix list. Only the preflight looks: a route names the list, whatever is in it."""

from __future__ import annotations

from typing import Final

from wgfo.plugin import Permit
from wgfo_aws.sdk import Answer, Ec2
from wgfo_aws.tables import Network, network

PAGE: Final = 100
MOST_PAGES: Final = 10
"""A list holds at most 1,000 entries."""


async def entries(ec2: Ec2, name: str, permit: Permit) -> list[Network]:
    """Return the networks of a list.

    Raises:
        NotFound: there is no such list, or it is not shared with this account.
    """
    asked = {"PrefixListId": name, "MaxResults": PAGE}
    found: list[Network] = []
    following: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        what, operation = f"reading prefix list {name}", "get_managed_prefix_list_entries"
        page, token = await ec2.read(permit, what, operation, {**asked, **following}, _page)
        found += page
        if not token:
            break
        following = {"NextToken": token}
    return found


def _page(answer: Answer) -> tuple[list[Network], str]:
    networks = [network(str(one["Cidr"])) for one in answer.get("Entries", ()) if one.get("Cidr")]
    return [one for one in networks if one is not None], answer.get("NextToken") or ""

"""The least that the provider needs, as a custom role for ``gcloud iam roles create --file``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wgfo.model import RouteSet
from wgfo_gcp.config import GcpOptions
from wgfo_gcp.hops import HopKind, HopSpec, read_hop

ROUTES: Final = (
    "compute.globalOperations.get",
    "compute.globalOperations.list",
    "compute.networks.get",
    "compute.networks.updatePolicy",
    "compute.routes.create",
    "compute.routes.delete",
    "compute.routes.get",
    "compute.routes.list",
)
"""What moving routes takes: creating and deleting one also asks for updatePolicy on its network."""
PREFLIGHT: Final = ("compute.projects.get", "compute.subnetworks.list")
"""What `wgfo doctor` reads, next hops aside."""
HOPS: Final[dict[HopKind, tuple[str, ...]]] = {
    HopKind.INSTANCE: ("compute.instances.get", "compute.instances.use"),
    HopKind.ADDRESS: ("compute.instances.list",),
    HopKind.BALANCER: ("compute.forwardingRules.list", "compute.forwardingRules.use"),
    HopKind.TUNNEL: ("compute.vpnTunnels.get", "compute.vpnTunnels.use"),
}
"""What each kind of next hop takes: naming it in a route asks for use, looking whether it forwards for get."""


def needed(hops: Sequence[HopSpec]) -> list[str]:
    """Return the permissions for these next hops, sorted."""
    kinds = {hop.kind for hop in hops}
    return sorted({*ROUTES, *PREFLIGHT, *(right for kind in kinds for right in HOPS[kind])})


def role(sets: Sequence[RouteSet], options: GcpOptions) -> str:
    """Return the role for these sets, in the YAML that gcloud reads."""
    hops = [read_hop(hop) for route_set in sets for hop in route_set.hops.values()]
    networks = ", ".join(sorted({route_set.table for route_set in sets})) or "none"
    project = options.project or "PROJECT"
    lines = "\n".join(f"- {right}" for right in needed(hops))
    return (
        f"# gcloud iam roles create wgfo --project={project} --file=THIS_FILE\n"
        f"# gcloud projects add-iam-policy-binding {project} \\\n"
        f"#   --member=serviceAccount:ACCOUNT --role=projects/{project}/roles/wgfo\n"
        f"# Routes in the networks: {networks}. Google knows no narrower place for them than the project.\n"
        "title: wgfo route failover\n"
        "description: Points routes of VPC networks at the next hop of the active path\n"
        "stage: GA\n"
        f"includedPermissions:\n{lines}\n"
    )

"""The least that the provider needs, as an IAM policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from wgfo.model import RouteSet
from wgfo_aws.config import AwsOptions, is_list

WRITE: Final = ("ec2:CreateRoute", "ec2:ReplaceRoute")
READ: Final = "ec2:DescribeRouteTables"
PREFLIGHT: Final = ("ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces")
LIST: Final = "ec2:GetManagedPrefixListEntries"


def policy(sets: Sequence[RouteSet], options: AwsOptions) -> str:
    """Return the policy for these sets: writes in their tables only, reads, and nothing else.

    EC2 knows no resource for Describe calls: they need ``*``, held to the region where one is configured.
    """
    tables = sorted({route_set.table for route_set in sets})
    place = f"arn:{options.partition}:ec2:{options.region or '*'}:{options.account or '*'}"
    statements: list[dict[str, object]] = [
        {
            "Sid": "PointRoutes",
            "Effect": "Allow",
            "Action": list(WRITE),
            "Resource": [f"{place}:route-table/{table}" for table in tables],
        },
        _reads("ReadRoutes", (READ,), options),
        _reads("Preflight", PREFLIGHT, options),
    ]
    lists = sorted({prefix for route_set in sets for prefix in route_set.prefixes if is_list(prefix)})
    if lists:
        # An AWS-managed list belongs to the account "aws", a shared one to whoever shares it.
        arns = [f"arn:{options.partition}:ec2:{options.region or '*'}:*:prefix-list/{one}" for one in lists]
        statements.append({"Sid": "ReadLists", "Effect": "Allow", "Action": [LIST], "Resource": arns})
    written = statements if tables else statements[1:]
    return json.dumps({"Version": "2012-10-17", "Statement": written}, indent=2) + "\n"


def _reads(name: str, actions: Sequence[str], options: AwsOptions) -> dict[str, object]:
    statement: dict[str, object] = {
        "Sid": name,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": "*",
    }
    if options.region:
        statement["Condition"] = {"StringEquals": {"aws:RequestedRegion": options.region}}
    return statement

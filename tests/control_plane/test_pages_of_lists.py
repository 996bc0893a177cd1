"""Lists come in pages, in each service alike: a token leads to the rest of its own list, and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

REGION = "us-east-1"
ACTIONS = ["sts:AssumeRole", "sts:TagSession"]


def _groups(aws: Any, number: int) -> None:
    aws.client("iam").create_group(GroupName=f"team{number}")


def _pools(aws: Any, number: int) -> None:
    aws.client("cognito-idp", region_name=REGION).create_user_pool(PoolName=f"people{number}")


def _identity_pools(aws: Any, number: int) -> None:
    pools = aws.client("cognito-identity", region_name=REGION)
    pools.create_identity_pool(IdentityPoolName=f"app{number}", AllowUnauthenticatedIdentities=False)


def _associations(aws: Any, number: int) -> None:
    eks, iam = aws.client("eks", region_name=REGION), aws.client("iam")
    if number == 0:
        trust = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ACTIONS}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName="pod", AssumeRolePolicyDocument=document)
        eks.create_cluster(name="lab", roleArn=iam.get_role(RoleName="pod")["Role"]["Arn"], resourcesVpcConfig={})
    role = iam.get_role(RoleName="pod")["Role"]["Arn"]
    eks.create_pod_identity_association(
        clusterName="lab", namespace="default", serviceAccount=f"account{number}", roleArn=role
    )


@dataclass(frozen=True)
class Listed:
    """A list of a service: how it gets one more, and the names of its operation and members."""

    make: Callable[[Any, int], None]
    service: str
    operation: str
    member: str
    limit: str
    token: str
    following: str
    refusal: str
    given: Mapping[str, Any] = field(default_factory=dict)


LISTS = (
    Listed(_groups, "iam", "list_groups", "Groups", "MaxItems", "Marker", "Marker", "ValidationError"),
    Listed(
        *(_pools, "cognito-idp", "list_user_pools", "UserPools", "MaxResults", "NextToken", "NextToken"),
        "InvalidParameterException",
    ),
    Listed(
        *(_identity_pools, "cognito-identity", "list_identity_pools", "IdentityPools", "MaxResults", "NextToken"),
        *("NextToken", "InvalidParameterException"),
    ),
    Listed(
        *(_associations, "eks", "list_pod_identity_associations", "associations", "maxResults", "nextToken"),
        *("nextToken", "InvalidParameterException"),
        given={"clusterName": "lab"},
    ),
)


@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.service)
def test_a_token_leads_to_the_rest_of_its_list_and_a_made_up_one_nowhere(aws, listed):
    # Given three of a kind.
    for number in range(3):
        listed.make(aws, number)
    call = partial(getattr(aws.client(listed.service, region_name=REGION), listed.operation), **listed.given)

    # When they are listed two at a time,
    first = page = call(**{listed.limit: 2})
    seen = list(page[listed.member])
    while page.get(listed.following):
        page = call(**{listed.limit: 2, listed.token: page[listed.following]})
        assert len(page[listed.member]) in (1, 2)
        seen += page[listed.member]

    # Then the pages together are the whole list, each thing once.
    whole = call(**{listed.limit: 50})
    assert (len(first[listed.member]), seen) == (2, whole[listed.member])

    # And a token that no page gave is refused, a number too.
    for forged in ("2", "made-up", first[listed.following][:-2]):
        with pytest.raises(ClientError) as refused:
            call(**{listed.limit: 2, listed.token: forged})
        assert refused.value.response["Error"]["Code"] == listed.refusal


def test_the_token_of_one_list_is_none_of_another(aws):
    for number in range(2):
        _groups(aws, number)
        aws.client("iam").create_user(UserName=f"somebody{number}")
    token = aws.client("iam").list_groups(MaxItems=1)["Marker"]

    with pytest.raises(ClientError, match=r"Invalid Marker\."):
        aws.client("iam").list_users(MaxItems=1, Marker=token)

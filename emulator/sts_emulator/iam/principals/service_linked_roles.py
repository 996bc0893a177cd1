"""Roles that services own: made on request, named and trusted by rule, changed by nobody."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts.managed_policies import PREFIX
from sts_emulator.accounts.resources import key_of
from sts_emulator.core.errors import AwsError
from sts_emulator.iam.kinds import ROLE, born
from sts_emulator.iam.permission import permit, reach
from sts_emulator.iam.policies.policy_documents import quoted
from sts_emulator.iam.principals import roles
from sts_emulator.iam.principals.protected_roles import SERVICE_LINKED, is_service_linked
from sts_emulator.vending.assume import DEFAULT_MAX_DURATION
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import operation

DELETION = "service-linked-role-deletion"
TASK = re.compile(r"task/aws-service-role/[^/]{1,128}/[^/]{1,64}/[0-9a-f-]{36}")

# service: what follows AWSServiceRoleFor, the policy that AWS attaches (where known), whether a suffix is allowed
SERVICES: Mapping[str, tuple[str, str, bool]] = {
    "autoscaling.amazonaws.com": ("AutoScaling", "AutoScalingServiceRolePolicy", True),
    "batch.amazonaws.com": ("Batch", "BatchServiceRolePolicy", False),
    "cloudtrail.amazonaws.com": ("CloudTrail", "CloudTrailServiceRolePolicy", False),
    "config.amazonaws.com": ("Config", "AWSConfigServiceRolePolicy", False),
    "connect.amazonaws.com": ("AmazonConnect", "AmazonConnectServiceLinkedRolePolicy", True),
    "dax.amazonaws.com": ("DAX", "DAXServiceRolePolicy", False),
    "ecs.amazonaws.com": ("ECS", "AmazonECSServiceRolePolicy", False),
    "eks.amazonaws.com": ("AmazonEKS", "AmazonEKSServiceRolePolicy", False),
    "eks-fargate.amazonaws.com": ("AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy", False),
    "eks-nodegroup.amazonaws.com": ("AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup", False),
    "elasticache.amazonaws.com": ("ElastiCache", "ElastiCacheServiceRolePolicy", False),
    "elasticbeanstalk.amazonaws.com": ("ElasticBeanstalk", "AWSElasticBeanstalkServiceRolePolicy", False),
    "elasticfilesystem.amazonaws.com": ("AmazonElasticFileSystem", "AmazonElasticFileSystemServiceRolePolicy", False),
    "elasticloadbalancing.amazonaws.com": ("ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy", False),
    "elasticmapreduce.amazonaws.com": ("EMRCleanup", "AmazonEMRCleanupPolicy", False),
    "es.amazonaws.com": ("AmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy", False),
    "guardduty.amazonaws.com": ("AmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy", False),
    "lex.amazonaws.com": ("LexBots", "AmazonLexBotPolicy", False),
    "macie.amazonaws.com": ("AmazonMacie", "AmazonMacieServiceRolePolicy", False),
    "opensearchservice.amazonaws.com": (
        "AmazonOpenSearchService",
        "AmazonOpenSearchServiceRolePolicy",
        False,
    ),
    "ops.apigateway.amazonaws.com": ("APIGateway", "APIGatewayServiceRolePolicy", False),
    "organizations.amazonaws.com": ("Organizations", "AWSOrganizationsServiceTrustPolicy", False),
    "rds.amazonaws.com": ("RDS", "AmazonRDSServiceRolePolicy", False),
    "redshift.amazonaws.com": ("Redshift", "AmazonRedshiftServiceLinkedRolePolicy", False),
    "replication.dynamodb.amazonaws.com": ("DynamoDBReplication", "DynamoDBReplicationServiceRolePolicy", False),
    "rolesanywhere.amazonaws.com": ("RolesAnywhere", "AWSRolesAnywhereServicePolicy", False),
    "securityhub.amazonaws.com": ("SecurityHub", "AWSSecurityHubServiceRolePolicy", False),
    "spot.amazonaws.com": ("EC2Spot", "AWSEC2SpotServiceRolePolicy", False),
    "spotfleet.amazonaws.com": ("EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy", False),
    "ssm.amazonaws.com": ("AmazonSSM", "AmazonSSMServiceRolePolicy", False),
    "sso.amazonaws.com": ("SSO", "AWSSSOServiceRolePolicy", False),
    "support.amazonaws.com": ("Support", "AWSSupportServiceRolePolicy", False),
    "transitgateway.amazonaws.com": ("VPCTransitGateway", "AWSVPCTransitGatewayServiceRolePolicy", False),
    "trustedadvisor.amazonaws.com": ("TrustedAdvisor", "AWSTrustedAdvisorServiceRolePolicy", False),
}


@operation("iam", "CreateServiceLinkedRole")
def create_service_linked_role(
    ctx: Context, *, AWSServiceName: str, Description: str = "", CustomSuffix: str | None = None
) -> Mapping[str, Any]:
    """Make the role of a service."""
    known = SERVICES.get(AWSServiceName)
    path = f"{SERVICE_LINKED}{AWSServiceName}/"
    base = f"AWSServiceRoleFor{known[0]}" if known else "*"
    name = f"{base}_{CustomSuffix}" if CustomSuffix else base
    arn = ROLE.arn(ctx.identity.account, path, name)
    permit(ctx, "CreateServiceLinkedRole", arn, {"iam:awsservicename": (AWSServiceName,)})
    if known is None:
        raise AwsError("InvalidInput", f"Service role creation is not supported for service {AWSServiceName}.")
    if CustomSuffix and not known[2]:
        raise AwsError("InvalidInput", f"Custom suffix is not allowed for {AWSServiceName}")
    if ctx.world.get(ROLE.kind, key_of(ctx.identity.account, name)) is not None:
        raise AwsError(
            "InvalidInput",
            f"Service role name {name} has been taken in this account, please try a different suffix.",
        )
    trust = _trust(AWSServiceName)
    role = {
        **born(ctx, ROLE, path, name),
        "trust": trust,
        "description": Description,
        "max_duration": DEFAULT_MAX_DURATION,
        "tags": {},
        "inline": {},
        "attached": [f"{PREFIX}aws-service-role/{known[1]}"],
    }
    ctx.world.add(ROLE.kind, ROLE.key(role), role, uid=role["id"])
    return {"Role": {**roles.shown(ctx.world, role), "AssumeRolePolicyDocument": quoted(trust)}}


@operation("iam", "DeleteServiceLinkedRole")
def delete_service_linked_role(ctx: Context, *, RoleName: str) -> Mapping[str, Any]:
    """Delete a service's role; no service here holds on to it, so it is gone at once."""
    role = reach(ctx, "DeleteServiceLinkedRole", ROLE, RoleName)
    if not is_service_linked(role):
        raise AwsError("NoSuchEntity", f"{role['name']} exists but is not a service role.", status=404)
    service = role["path"].split("/")[2]
    task = f"task/aws-service-role/{service}/{role['name']}/{uuid.uuid4()}"
    ctx.world.take(ROLE.kind, ROLE.key(role))
    ctx.world.add(DELETION, f"{role['account']}/{task}", {"account": role["account"], "role": role["arn"]})
    return {"DeletionTaskId": task}


@operation("iam", "GetServiceLinkedRoleDeletionStatus")
def get_service_linked_role_deletion_status(ctx: Context, *, DeletionTaskId: str) -> Mapping[str, Any]:
    """How a deletion went."""
    account = ctx.identity.account
    task = ctx.world.get(DELETION, f"{account}/{DeletionTaskId}")
    permit(ctx, "GetServiceLinkedRoleDeletionStatus", task["role"] if task else ROLE.arn(account, "/", "*"))
    if not TASK.fullmatch(DeletionTaskId):
        raise AwsError("InvalidInput", "Invalid task id")
    if task is None:
        raise AwsError("NoSuchEntity", "Cannot find deletion status for given id.", status=404)
    return {"Status": "SUCCEEDED"}


def _trust(service: str) -> str:
    """As AWS writes it when it answers the creation: lists, not single values (recorded 2026-09)."""
    statement = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))

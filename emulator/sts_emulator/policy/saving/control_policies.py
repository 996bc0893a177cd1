"""Owns what Organizations refuses to save as a service control policy (SCP) or a resource control policy (RCP).

Source: Organizations User Guide, "SCP syntax" and "RCP syntax"; what was recorded of RCPs: docs/aws/organizations.md,
"Resource control policies". Every refusal has the same code and text.
"""

from __future__ import annotations

from typing import Any, Literal

from sts_emulator.policy.deciding.document import MalformedPolicy, as_list, load
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.policy.saving import identity_policies as identity_rules

CODE = "MalformedPolicyDocumentException"
REFUSED = "The provided policy document does not meet the requirements of the specified policy type."
RESOURCE_SERVICES = frozenset(
    {
        *("appconfig", "appstream", "aoss", "autoscaling", "autoscaling-plans", "budgets", "cloudfront"),
        *("cloudsearch", "clouddirectory", "cloudtrail-data", "codeartifact", "codebuild", "codecommit"),
        *("codepipeline", "cognito-identity", "cognito-idp", "comprehend", "comprehendmedical"),
        *("compute-optimizer", "cost-optimization-hub", "dax", "dsql", "dynamodb", "ecr", "ecr-public", "events"),
        *("firehose", "fis", "fms", "gamelift", "health", "inspector-scan", "kendra", "kinesisvideo", "kms"),
        *("logs", "memorydb", "networkmonitor", "notifications", "opensearch", "pca-connector-ad", "personalize"),
        *("polly", "pricing", "resource-groups", "rolesanywhere", "s3", "secretsmanager", "servicediscovery"),
        *("signin", "sqs", "sts", "support", "swf", "textract", "timestream-influxdb", "transcribe", "transfer"),
        *("translate", "wafv2", "workspaces", "xray"),
    }
)
"""The services that an RCP can speak of (Organizations User Guide, "List of AWS services that support RCPs", 2026)."""


def check(kind: Literal["scp", "rcp"], text: str) -> None:
    """Refuse what Organizations refuses.

    Raises:
        MalformedPolicy: MalformedPolicyDocumentException.
    """
    try:
        accepted = _is_accepted(kind, load(text))
    except MalformedPolicy as error:
        raise MalformedPolicy(CODE, REFUSED) from error
    if not accepted:
        raise MalformedPolicy(CODE, REFUSED)


def _is_accepted(kind: Literal["scp", "rcp"], source: object) -> bool:
    """Whether the document has what its type needs; an identity policy's own rules complain by raising."""
    if not isinstance(source, dict) or not identity_rules.well_formed(source):
        return False
    statements: list[dict[str, Any]] = as_list(source["Statement"])
    if kind == "rcp":
        if not all(map(_is_resource_control, statements)):
            return False
        statements = [_without_principal(statement) for statement in statements]
    identity_rules.check({**source, "Statement": statements}, newest_only=kind == "scp")
    return True


def _is_resource_control(statement: JsonObject) -> bool:
    """Deny, for everybody, actions of services that support it; the Allow of RCPFullAWSAccess is AWS's own."""
    return (
        statement["Effect"] == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and "NotAction" not in statement
        and all(
            action.partition(":")[0].lower() in RESOURCE_SERVICES for action in as_list(statement.get("Action", []))
        )
    )


def _without_principal(statement: JsonObject) -> dict[str, Json]:
    return {name: element for name, element in statement.items() if name != "Principal"}

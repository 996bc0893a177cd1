"""Secrets Manager: a secret's ARN ends in six characters that its name does not tell."""

from __future__ import annotations

from typing import Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.overlay import Overlay, Question

_SUFFIX: Final = "-??????"
"""AWS's six characters, in the way policies write them: `name-*` and `name-??????` cover it, `name` does not."""

_READ: Final = ("GetSecretValue",)
_WRITTEN: Final = ("PutSecretValue", "UpdateSecret")
_OTHERS: Final = (
    *("CancelRotateSecret", "DeleteResourcePolicy", "DeleteSecret", "DescribeSecret"),
    *(
        "DisassociateCrossAccountReplica",
        "GetResourcePolicy",
        "ListResourcePolicies",
        "ListSecretVersionIds",
        "PutResourcePolicy",
    ),
    *("RemoveRegionsFromReplication", "ReplicateSecretToRegions", "RestoreSecret", "StopReplicationToReplica"),
    *("TagResource", "UntagResource", "UpdateSecretVersionStage"),
)


def _secret(question: Question, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return question.arn("Secret", SecretId=f"{name}{_SUFFIX}" if name else "*")


def _on_secret(question: Question) -> list[Need]:
    named = question.first("SecretId|Name")
    return [*question.on(_secret(question, named)), *_on_key(question, question.call.operation)]


def _made(question: Question) -> list[Need]:
    """Replicas that are made along, and a policy (API Reference, "CreateSecret")."""
    secret = _secret(question, question.first("Name"))
    given = {"ReplicateSecretToRegions": "AddReplicaRegions.Region", "PutResourcePolicy": "CrossAccountPrimaryARN"}
    actions = ["CreateSecret", *(action for action, member in given.items() if question.first(member))]
    return [*(question.need(action, secret) for action in actions), *_on_key(question, "CreateSecret")]


def _validated(question: Question) -> list[Need]:
    """API Reference, "ValidateResourcePolicy"."""
    secret = _secret(question, question.first("SecretId"))
    return [question.need(action, secret) for action in ("ValidateResourcePolicy", "PutResourcePolicy")]


def _linked(question: Question) -> list[Need]:
    """The secret is read, and its replica elsewhere accepts (API Reference, "AssociateCrossAccountReplica")."""
    secret = _secret(question, question.first("SecretId"))
    replica = question.first("CrossAccountReplicaARN") or question.arn("Secret")
    return [
        *(question.need(action, secret) for action in ("AssociateCrossAccountReplica", "GetSecretValue")),
        question.need("AcceptCrossAccountReplication", replica),
        *(question.dependent(action, "") for action in ("kms:Decrypt", "kms:Encrypt")),
    ]


def _on_key(question: Question, action: str) -> list[Need]:
    """The key that the secret lies under; the request tells it where it sets it."""
    actions = ("kms:Decrypt",) if action in _READ else ("kms:GenerateDataKey", "kms:Decrypt")
    return [question.dependent(name, question.first("KmsKeyId")) for name in actions] if action in _KEYED else []


_KEYED: Final = (*_READ, *_WRITTEN, "CreateSecret")


def _rotated(question: Question) -> list[Need]:
    """Who lets a function rotate a secret must be allowed to invoke it (API Reference, "RotateSecret")."""
    function = question.first("RotationLambdaARN")
    invoked = [Need("lambda:InvokeFunction", function, {})] if function else []
    return [question.need("RotateSecret", _secret(question, question.first("SecretId"))), *invoked]


def _batch(question: Question) -> list[Need]:
    """Each secret that is named; with filters it may be any, and they are listed (API Reference)."""
    named = read.at(question.call.parameters, "SecretIdList")
    names = named if named and not question.call.parameters.get("Filters") else (*named, "")
    secrets = [question.need("GetSecretValue", _secret(question, name)) for name in names]
    listed = [question.need("ListSecrets", "*")] if question.call.parameters.get("Filters") else []
    return [question.need("BatchGetSecretValue", "*"), *listed, *secrets]


OVERLAY = Overlay(
    rules={
        **dict.fromkeys((*_READ, *_WRITTEN, *_OTHERS), _on_secret),
        "AssociateCrossAccountReplica": _linked,
        "BatchGetSecretValue": _batch,
        "CreateSecret": _made,
        "ValidateResourcePolicy": _validated,
        "RotateSecret": _rotated,
    },
    keys={
        "secretsmanager:name": "Name",
        "secretsmanager:secretid": "SecretId",
        "secretsmanager:description": "Description",
        "secretsmanager:kmskeyid": "KmsKeyId",
        "secretsmanager:versionid": "VersionId",
        "secretsmanager:versionstage": "VersionStage",
        "secretsmanager:forcedeletewithoutrecovery": "ForceDeleteWithoutRecovery",
        "secretsmanager:recoverywindowindays": "RecoveryWindowInDays",
        "secretsmanager:blockpublicpolicy": "BlockPublicPolicy",
        "secretsmanager:rotationlambdaarn": "RotationLambdaARN",
    },
    passes={
        "AssociateCrossAccountReplica": ("ReplicationRoleARN", "secretsmanager.amazonaws.com"),
        "RotateSecret": ("ExternalSecretRotationRoleArn", "secretsmanager.amazonaws.com"),
    },
    tags_with={"CreateSecret": "TagResource"},
)

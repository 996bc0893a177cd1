"""KMS: keys by id, ARN or alias, and the encryption context.

Which key an alias stands for, and which key a ciphertext was made with, the request does not tell: then the need is for
any key of the account, which only a policy for all its keys allows (the strict reading; `kms:RequestAlias` is there).
"""

from __future__ import annotations

from typing import Final

from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question, request_tags


def _key(question: Question, named: str) -> str:
    """The ARN of the key that an id or ARN names; any, for an alias and for nothing."""
    alias = named.startswith("alias/") or ":alias/" in named
    if named.startswith("arn:"):
        return f"{named.partition(':alias/')[0]}:key/*" if alias else named
    return question.arn("key", KeyId="*" if alias or not named else named)


def _alias(question: Question) -> str:
    name = question.first("AliasName")
    return name if name.startswith("arn:") else question.arn("alias", Alias=name.removeprefix("alias/") or "*")


def _on_key(question: Question) -> list[Need]:
    return [question.need(question.call.operation, _key(question, question.first("KeyId")))]


def _on_alias(question: Question) -> list[Need]:
    """An alias and its key; to take an alias from a key, and to move it, needs the permission on the key it had."""
    operation = question.call.operation
    target = [question.first("TargetKeyId")] if operation != "DeleteAlias" else []
    had = [""] if operation != "CreateAlias" else []
    keys = [_key(question, named) for named in (*target, *had)]
    return [question.need(operation, arn) for arn in (_alias(question), *keys)]


def _encrypted_anew(question: Question) -> list[Need]:
    source, target = question.first("SourceKeyId"), question.first("DestinationKeyId")
    return [
        question.need("ReEncryptFrom", _key(question, source)),
        question.need("ReEncryptTo", _key(question, target)),
    ]


def _replicated(question: Question) -> list[Need]:
    """A replica is a new key, in another Region (API Reference, "ReplicateKey")."""
    return [*_on_key(question), question.need("CreateKey", "*")]


_OF_KEYS: Final = (
    *("CancelKeyDeletion", "CreateGrant", "Decapsulate", "Decrypt", "DeleteImportedKeyMaterial", "DeriveSharedSecret"),
    *("DescribeKey", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "Encapsulate", "Encrypt"),
    *("GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
    *("GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetKeyPolicy", "GetKeyRotationStatus"),
    *("GetParametersForImport", "GetPublicKey", "ImportKeyMaterial", "ListGrants", "ListKeyPolicies"),
    *("ListKeyRotations", "ListResourceTags", "PutKeyPolicy", "RetireGrant", "RevokeGrant"),
    *("RotateKeyOnDemand", "ScheduleKeyDeletion", "Sign", "TagResource", "UntagResource"),
    *("UpdateKeyDescription", "UpdatePrimaryRegion", "Verify", "VerifyMac"),
)
_CONTEXTS: Final = {"ReEncryptFrom": "SourceEncryptionContext", "ReEncryptTo": "DestinationEncryptionContext"}
_OF_NEW_KEYS: Final = {
    "kms:keyspec": ("KeySpec", "SYMMETRIC_DEFAULT"),
    "kms:keyusage": ("KeyUsage", "ENCRYPT_DECRYPT"),
    "kms:keyorigin": ("Origin", "AWS_KMS"),
}


def _more_keys(call: Call, action: Action) -> dict[str, tuple[str, ...]]:
    """The caller's account, the alias that was named, the encryption context, and what a new key is to be."""
    keys: dict[str, tuple[str, ...]] = {"kms:calleraccount": (call.account,)}
    named = call.parameters.get("SourceKeyId" if action.name == "ReEncryptFrom" else "KeyId")
    if isinstance(named, str) and "alias/" in named:
        keys["kms:requestalias"] = (named[named.index("alias/") :],)
    context = call.parameters.get(_CONTEXTS.get(action.name, "EncryptionContext"))
    if isinstance(context, dict) and context:
        keys |= {f"kms:encryptioncontext:{name.lower()}": (str(value),) for name, value in context.items()}
        keys["kms:encryptioncontextkeys"] = tuple(context)
    if call.operation == "CreateKey":
        keys |= {key: (str(call.parameters.get(name, usual)),) for key, (name, usual) in _OF_NEW_KEYS.items()}
    if "aws:tagkeys" not in action.keys and call.operation in ("CreateKey", "TagResource"):
        keys |= request_tags(call.parameters)
    return keys


OVERLAY = Overlay(
    rules={
        **dict.fromkeys(_OF_KEYS, _on_key),
        **dict.fromkeys(("CreateAlias", "DeleteAlias", "UpdateAlias"), _on_alias),
        "ReEncrypt": _encrypted_anew,
        "ReplicateKey": _replicated,
    },
    keys={
        "kms:encryptionalgorithm": "EncryptionAlgorithm",
        "kms:signingalgorithm": "SigningAlgorithm",
        "kms:macalgorithm": "MacAlgorithm",
        "kms:messagetype": "MessageType",
        "kms:datakeypairspec": "KeyPairSpec",
        "kms:grantoperations": "Operations",
        "kms:granteeprincipal": "GranteePrincipal",
        "kms:retiringprincipal": "RetiringPrincipal",
        "kms:wrappingalgorithm": "WrappingAlgorithm",
        "kms:wrappingkeyspec": "WrappingKeySpec",
        "kms:schedulekeydeletionpendingwindowindays": "PendingWindowInDays",
        "kms:rotationperiodindays": "RotationPeriodInDays",
        "kms:replicaregion": "ReplicaRegion",
        "kms:primaryregion": "PrimaryRegion",
        "kms:expirationmodel": "ExpirationModel",
        "kms:bypasspolicylockoutsafetycheck": "BypassPolicyLockoutSafetyCheck",
        "kms:multiregion": "MultiRegion",
    },
    tags_with={"CreateKey": "TagResource", "ReplicateKey": "TagResource"},
    more_keys=_more_keys,
)

"""KMS: keys by id, ARN or alias, and the encryption context.

Which key an alias stands for the door asks the upstream (key_aliases.py). Which key a ciphertext was made with, only
those tell that begin with it: else the need is for any key, and nobody has it, as that one's policy is not known.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from sts_emulator.gateway import arns
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question, request_tags


def _key(question: Question, named: str) -> str:
    return arns.of_key(question.call, named)


def _made_with(question: Question) -> list[str]:
    """The key that a ciphertext was made with, where it begins with its id, as those of moto and LocalStack do."""
    blob = question.call.parameters.get("CiphertextBlob")
    try:
        start = base64.b64decode(blob[:_ENCODED]) if isinstance(blob, str) else b""
    except ValueError:
        start = b""
    named = _KEY_ID.match(start)
    return [_key(question, named[0].decode())] if named else []


def _decrypted(question: Question, action: str, member: str) -> list[Need]:
    """The key that is named and the one in the ciphertext: an upstream may heed either."""
    named = question.first(member)
    keys = [*([_key(question, named)] if named else []), *_made_with(question)] or [_key(question, "")]
    return [question.need(action, key) for key in dict.fromkeys(keys)]


def _alias(question: Question) -> str:
    name = question.first("AliasName")
    return name if name.startswith("arn:") else question.arn("alias", Alias=name.removeprefix("alias/") or "*")


def _on_key(question: Question) -> list[Need]:
    return question.on(_key(question, question.first("KeyId")))


def _on_alias(question: Question) -> list[Need]:
    """An alias and its key; to take an alias from a key, and to move it, needs the permission on the key it had."""
    operation = question.call.operation
    target = [question.first("TargetKeyId")] if operation != "DeleteAlias" else []
    name = question.first("AliasName")
    alias = name if name.startswith("arn:") else f"alias/{name.removeprefix('alias/')}"
    had = [alias] if operation != "CreateAlias" else []
    keys = [_key(question, named) for named in (*target, *had)]
    return question.on(_alias(question), *keys)


def _encrypted_anew(question: Question) -> list[Need]:
    target = _key(question, question.first("DestinationKeyId"))
    return [*_decrypted(question, "ReEncryptFrom", "SourceKeyId"), question.need("ReEncryptTo", target)]


def _replicated(question: Question) -> list[Need]:
    """A replica is a new key, in another Region (API Reference, "ReplicateKey")."""
    return [*_on_key(question), question.need("CreateKey", "*")]


_ENCODED: Final = 48  # characters of base64: 36 bytes, as long as a key's id
_KEY_ID: Final = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32}")
_OF_KEYS: Final = (
    *("CancelKeyDeletion", "CreateGrant", "Decapsulate", "DeleteImportedKeyMaterial", "DeriveSharedSecret"),
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
        "Decrypt": lambda question: _decrypted(question, "Decrypt", "KeyId"),
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

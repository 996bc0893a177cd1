"""S3: buckets and objects, versions, tags, access control lists, locks, copies and deletes by the batch.

Source: docs/aws/s3-and-gateway.md, "Requests and errors". What only directory buckets and Object Lambda have
(CreateSession, RenameObject, WriteGetObjectResponse …) is other services' to allow, and not mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question, Rule

_OF_BUCKETS: Final = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "CreateBucketMetadataConfiguration": "CreateBucketMetadataTableConfiguration",
    "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
    "DeleteBucketMetadataConfiguration": "DeleteBucketMetadataTableConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
}
_SETTINGS: Final = {  # a setting's operations: Get, Put, and Delete, which is Put's action
    "Cors": "BucketCORS",
    "Encryption": "EncryptionConfiguration",
    "Lifecycle": "LifecycleConfiguration",
    "Replication": "ReplicationConfiguration",
}
_LISTED_SETTINGS: Final = ("Analytics", "IntelligentTiering", "Inventory", "Metrics")  # these have a List as well

_VERSIONED: Final = {
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
}
_UNVERSIONED: Final = (
    *("AbortMultipartUpload", "GetObjectLegalHold", "GetObjectRetention", "GetObjectTorrent", "PutObjectLegalHold"),
    *("RestoreObject", "UpdateObjectEncryption"),
)
_GRANTS: Final = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")


def _settings() -> dict[str, tuple[str, ...]]:
    """The actions of the operations on a bucket's settings."""
    actions: dict[str, tuple[str, ...]] = {operation: (action,) for operation, action in _OF_BUCKETS.items()}
    for setting, name in _SETTINGS.items():
        actions |= {f"{verb}Bucket{setting}": (f"Put{name}",) for verb in ("Put", "Delete")}
        actions[f"GetBucket{setting}"] = (f"Get{name}",)
    for setting in _LISTED_SETTINGS:
        operation, action = f"Bucket{setting}Configuration", f"{setting}Configuration"
        actions |= {f"{verb}{operation}": (f"Put{action}",) for verb in ("Put", "Delete")}
        actions |= {f"Get{operation}": (f"Get{action}",), f"List{operation}s": (f"Get{action}",)}
    return actions


def _bucket_arn(call: Call, bucket: str) -> str:
    """A bucket's ARN; an access point is named by its own."""
    return bucket if bucket.startswith("arn:") else f"arn:{call.partition}:s3:::{bucket or '*'}"


def _object_arn(call: Call, bucket: str, key: str) -> str:
    arn = _bucket_arn(call, bucket)
    return f"{arn}/object/{key or '*'}" if bucket.startswith("arn:") else f"{arn}/{key or '*'}"


def _on_bucket(question: Question, *actions: str) -> list[Need]:
    arn = _bucket_arn(question.call, question.first("Bucket"))
    return [question.need(action, arn) for action in actions]


def _on_object(question: Question, *actions: str, named: Mapping[str, Any] | None = None) -> list[Need]:
    """Needs on an object: the call's own, or the one that is `named` with its key and version."""
    named = question.call.parameters if named is None else named
    arn = _object_arn(question.call, question.first("Bucket"), read.first(named, "Key"))
    version = read.first(named, "VersionId")
    if not version:
        return [question.need(action, arn) for action in actions]
    needs = [question.need(_VERSIONED.get(action, action), arn) for action in actions]
    return [Need(need.action, arn, {**need.keys, "s3:versionid": (version,)}) for need in needs]


def _objects(*actions: str) -> Callable[[Question], list[Need]]:
    return lambda question: _on_object(question, *actions)


def _created_bucket(question: Question) -> Iterable[Need]:
    """What is set while the bucket is made needs the permission to set it."""
    names = ["CreateBucket"]
    if question.first("ACL") or _has_grants(question):
        names.append("PutBucketAcl")
    if question.first("ObjectLockEnabledForBucket") == "true":
        names += ["PutBucketVersioning", "PutBucketObjectLockConfiguration"]
    if question.first("ObjectOwnership"):
        names.append("PutBucketOwnershipControls")
    if read.tags(question.call.parameters):
        names.append("TagResource")
    return _on_bucket(question, *names)


def _has_grants(question: Question) -> bool:
    return any(question.first(name) for name in _GRANTS)


def _written(question: Question) -> list[Need]:
    """An object is written: its tags, lists and locks need permissions of their own, and so does a look at its ETag."""
    names = ["PutObject"]
    if question.first("ACL") or _has_grants(question):
        names.append("PutObjectAcl")
    if question.first("Tagging"):
        names.append("PutObjectTagging")
    if question.first("ObjectLockMode") or question.first("ObjectLockRetainUntilDate"):
        names.append("PutObjectRetention")
    if question.first("ObjectLockLegalHoldStatus"):
        names.append("PutObjectLegalHold")
    return [*_on_object(question, *names), *_looked_at(question), *_encrypted(question, "kms:GenerateDataKey")]


def _looked_at(question: Question) -> list[Need]:
    """If-Match tells whether an ETag is the object's, so it needs the permission to read; If-None-Match does not."""
    return _on_object(question, "GetObject") if question.first("IfMatch") else []


def _encrypted(question: Question, *actions: str) -> list[Need]:
    """The key's permissions, where the request asks for encryption under a key of KMS."""
    if not question.first("ServerSideEncryption").startswith("aws:kms"):
        return []
    arn = _object_arn(question.call, question.first("Bucket"), question.first("Key"))
    context = {"kms:encryptioncontext:aws:s3:arn": (arn,), "kms:encryptioncontextkeys": ("aws:s3:arn",)}
    return [question.dependent(action, question.first("SSEKMSKeyId"), context) for action in actions]


def _copied(question: Question) -> list[Need]:
    """The source is read, and with its tags, if they come along (which needs the right only where there are any)."""
    source = _source(question, "GetObject")
    tags = [] if question.first("TaggingDirective") == "REPLACE" else _source(question, "GetObjectTagging")
    optional = [Need(need.action, need.resource, need.keys, optional=True) for need in tags]
    return [*_written(question), *source, *optional, *_encrypted(question, "kms:Decrypt")]


def _source(question: Question, action: str) -> list[Need]:
    """A need on what `x-amz-copy-source` names: `bucket/key?versionId=…`, or an access point's ARN; URL-encoded."""
    named = question.call.parameters.get("CopySource", "")
    if isinstance(named, Mapping):  # as boto3 takes it
        path, version = f"{named.get('Bucket', '')}/{named.get('Key', '')}", str(named.get("VersionId", ""))
    else:
        encoded, _, query = str(named).partition("?versionId=")
        path, version = unquote(encoded), next(iter(parse_qs(f"v={query}").get("v", [])), "")
    bucket, _, key = path.lstrip("/").partition("/")
    arn = path if path.startswith("arn:") else _object_arn(question.call, bucket, key)
    need = question.need(_VERSIONED[action] if version else action, arn)
    keys = {"s3:versionid": (version,)} if version else {}
    return [Need(need.action, arn, {**need.keys, **keys})]


def _deleted_by_the_batch(question: Question) -> list[Need]:
    """The same for every key, each with an ETag of its own."""
    objects = read.structures(question.call.parameters, "Delete.Objects") or [{}]
    return [need for named in objects for need in _gone(question, named, read.first(named, "ETag"))]


def _gone(question: Question, named: Mapping[str, Any], etag: str) -> list[Need]:
    """An object is deleted; if only under a certain ETag, the caller must be allowed to read it (`*` is any)."""
    keys = {"s3:if-match": (etag,)} if etag else {}
    deleted = _on_object(question, "DeleteObject", named=named)
    needs = [Need(need.action, need.resource, {**need.keys, **keys}) for need in deleted]
    needs += _on_object(question, *_bypass(question), named=named)
    return needs + (_on_object(question, "GetObject", named=named) if etag not in ("", "*") else [])


def _bypass(question: Question) -> tuple[str, ...]:
    return ("BypassGovernanceRetention",) if question.first("BypassGovernanceRetention") == "true" else ()


_KEYS: Final = {
    "s3:prefix": "Prefix",
    "s3:delimiter": "Delimiter",
    "s3:max-keys": "MaxKeys",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-copy-source": "CopySource",
    "s3:x-amz-grant-full-control": "GrantFullControl",
    "s3:x-amz-grant-read": "GrantRead",
    "s3:x-amz-grant-read-acp": "GrantReadACP",
    "s3:x-amz-grant-write": "GrantWrite",
    "s3:x-amz-grant-write-acp": "GrantWriteACP",
    "s3:x-amz-metadata-directive": "MetadataDirective",
    "s3:x-amz-object-ownership": "ObjectOwnership",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "s3:x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "s3:x-amz-storage-class": "StorageClass",
    "s3:x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "s3:object-lock-mode": "ObjectLockMode|Retention.Mode",
    "s3:object-lock-retain-until-date": "ObjectLockRetainUntilDate|Retention.RetainUntilDate",
    "s3:object-lock-legal-hold": "ObjectLockLegalHoldStatus|LegalHold.Status",
    "s3:if-match": "IfMatch",
    "s3:if-none-match": "IfNoneMatch",
    "s3:inventoryaccessibleoptionalfields": "InventoryConfiguration.OptionalFields",
    "s3:locationconstraint": "CreateBucketConfiguration.LocationConstraint",
    "s3:x-amz-bucket-namespace": "BucketNamespace",
}


def _more_keys(call: Call, action: Action) -> dict[str, tuple[str, ...]]:
    """The tags that an object gets, and whether the call makes the object."""
    keys: dict[str, tuple[str, ...]] = {}
    if "s3:objectcreationoperation" in action.keys:
        keys["s3:objectcreationoperation"] = ("false" if call.operation in _PARTS else "true",)
    if "s3:requestobjecttagkeys" in action.keys and (tags := _object_tags(call)):
        keys |= {f"s3:requestobjecttag/{key.lower()}": (value,) for key, value in tags.items()}
        keys["s3:requestobjecttagkeys"] = tuple(tags)
    return keys


def _object_tags(call: Call) -> dict[str, str]:
    given = read.first(call.parameters, "Tagging")
    tags = read.encoded_tags(given) if given else {}
    for tag in read.structures(call.parameters, "Tagging.TagSet"):
        tags[str(tag.get("Key", ""))] = str(tag.get("Value", ""))
    return tags


_PARTS: Final = ("CreateMultipartUpload", "UploadPart", "UploadPartCopy")


_RULES: Final[Mapping[str, Rule]] = {
    **{name: _objects(name) for name in (*_VERSIONED, *_UNVERSIONED)},
    "GetObjectAttributes": _objects("GetObject", "GetObjectAttributes"),
    "HeadObject": _objects("GetObject"),
    "SelectObjectContent": _objects("GetObject"),
    "ListParts": _objects("ListMultipartUploadParts"),
    "UploadPart": _objects("PutObject"),
    "PutObject": _written,
    "PostObject": _written,  # a browser's form, which no model has
    "CreateMultipartUpload": lambda question: [*_written(question), *_encrypted(question, "kms:Decrypt")],
    "CompleteMultipartUpload": lambda question: [*_on_object(question, "PutObject"), *_looked_at(question)],
    "CopyObject": _copied,
    "UploadPartCopy": lambda question: [*_on_object(question, "PutObject"), *_source(question, "GetObject")],
    "DeleteObject": lambda question: _gone(question, question.call.parameters, question.first("IfMatch")),
    "DeleteObjects": _deleted_by_the_batch,
    "PutObjectRetention": lambda question: _on_object(question, "PutObjectRetention", *_bypass(question)),
    "CreateBucket": _created_bucket,
    "ListBuckets": lambda question: [question.need("ListAllMyBuckets", "*")],
}

_SERVICE: Final = "s3.amazonaws.com"
_METADATA_ROLE: Final = "MetadataConfiguration.AnnotationTableConfiguration.Role"

OVERLAY = Overlay(
    actions=_settings(),
    rules=_RULES,
    keys=_KEYS,
    members={"BucketName": "Bucket"},
    passes={
        "CreateBucketMetadataConfiguration": (_METADATA_ROLE, "metadata.s3.amazonaws.com"),
        "PutBucketNotification": ("NotificationConfiguration.CloudFunctionConfiguration.InvocationRole", _SERVICE),
        "PutBucketReplication": ("ReplicationConfiguration.Role", _SERVICE),
    },
    more_keys=_more_keys,
)

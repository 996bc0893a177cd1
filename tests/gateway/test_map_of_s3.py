"""S3: what a request needs hangs on its headers, its body and where it copies from."""

from __future__ import annotations

from typing import Any

from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.map import required

BUCKET = "arn:aws:s3:::photos"
CAT = "arn:aws:s3:::photos/cats/a.jpg"


def needs(operation: str, **parameters: Any) -> tuple[Need, ...]:
    return required(Call("s3", operation, parameters, "/", "111122223333", "eu-central-1", "aws"))


def pairs(answer: tuple[Need, ...]) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in answer if not need.optional]


def test_a_plain_upload_needs_one_permission():
    assert pairs(needs("PutObject", Bucket="photos", Key="cats/a.jpg")) == [("s3:PutObject", CAT)]


def test_an_upload_needs_the_permission_for_whatever_else_it_sets():
    answer = needs(
        "PutObject",
        Bucket="photos",
        Key="cats/a.jpg",
        Tagging="kind=cat&owner=",
        ACL="public-read",
        ObjectLockMode="GOVERNANCE",
        ObjectLockLegalHoldStatus="ON",
    )
    assert [action for action, _ in pairs(answer)] == [
        "s3:PutObject",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
        "s3:PutObjectRetention",
        "s3:PutObjectLegalHold",
    ]
    assert answer[0].keys["s3:requestobjecttag/kind"] == ("cat",)
    assert answer[0].keys["s3:requestobjecttagkeys"] == ("kind", "owner")
    assert answer[0].keys["s3:x-amz-acl"] == ("public-read",)


def test_a_write_under_a_condition_reads_and_one_that_must_be_new_does_not():
    replaced = needs("PutObject", Bucket="photos", Key="cats/a.jpg", IfMatch='"abc"')
    assert pairs(replaced) == [("s3:PutObject", CAT), ("s3:GetObject", CAT)]
    new = needs("PutObject", Bucket="photos", Key="cats/a.jpg", IfNoneMatch="*")
    assert pairs(new) == [("s3:PutObject", CAT)]


def test_a_copy_asks_for_its_source_whatever_its_spelling():
    target = ("s3:PutObject", CAT)
    source = ("s3:GetObject", "arn:aws:s3:::old/d & e.jpg")
    for spelling in ("old/d%20%26%20e.jpg", "/old/d%20%26%20e.jpg"):
        assert pairs(needs("CopyObject", Bucket="photos", Key="cats/a.jpg", CopySource=spelling)) == [target, source]
    version = needs("UploadPartCopy", Bucket="photos", Key="cats/a.jpg", CopySource="old/d.jpg?versionId=v1")
    assert pairs(version) == [target, ("s3:GetObjectVersion", "arn:aws:s3:::old/d.jpg")]
    assert version[1].keys["s3:versionid"] == ("v1",)


def test_a_delete_of_many_asks_for_each_key_and_version():
    objects = [{"Key": "cats/a.jpg"}, {"Key": "b", "VersionId": "v1"}, {"Key": "c", "ETag": '"e"'}]
    answer = needs("DeleteObjects", Bucket="photos", Delete={"Objects": objects}, BypassGovernanceRetention=True)
    assert pairs(answer) == [
        ("s3:DeleteObject", CAT),
        ("s3:BypassGovernanceRetention", CAT),
        ("s3:DeleteObjectVersion", f"{BUCKET}/b"),
        ("s3:BypassGovernanceRetention", f"{BUCKET}/b"),
        ("s3:DeleteObject", f"{BUCKET}/c"),
        ("s3:BypassGovernanceRetention", f"{BUCKET}/c"),
        ("s3:GetObject", f"{BUCKET}/c"),
    ]


def test_a_bucket_that_is_made_with_settings_needs_the_right_to_set_them():
    answer = needs("CreateBucket", Bucket="photos", ACL="private", ObjectLockEnabledForBucket=True)
    assert [action for action, _ in pairs(answer)] == [
        "s3:CreateBucket",
        "s3:PutBucketAcl",
        "s3:PutBucketVersioning",
        "s3:PutBucketObjectLockConfiguration",
    ]


def test_a_listing_tells_its_prefix_even_where_that_is_empty():
    keys = needs("ListObjectsV2", Bucket="photos", Prefix="", Delimiter="/", MaxKeys=10)[0].keys
    assert (keys["s3:prefix"], keys["s3:delimiter"], keys["s3:max-keys"]) == (("",), ("/",), ("10",))
    assert "s3:prefix" not in needs("ListObjectsV2", Bucket="photos")[0].keys


def test_an_access_point_is_named_by_its_own_arn():
    point = "arn:aws:s3:eu-central-1:111122223333:accesspoint/mine"
    assert pairs(needs("GetObject", Bucket=point, Key="a/b")) == [("s3:GetObject", f"{point}/object/a/b")]
    assert pairs(needs("ListObjectsV2", Bucket=point)) == [("s3:ListBucket", point)]


def test_the_key_behind_an_object_is_a_dependent_permission():
    answer = needs("PutObject", Bucket="photos", Key="cats/a.jpg", ServerSideEncryption="aws:kms", SSEKMSKeyId="k1")
    dependent = [need for need in answer if need.optional]
    assert [(need.action, need.resource) for need in dependent] == [
        ("kms:GenerateDataKey", "arn:aws:kms:eu-central-1:111122223333:key/k1")
    ]
    assert dependent[0].keys["kms:viaservice"] == ("s3.eu-central-1.amazonaws.com",)
    assert dependent[0].keys["kms:encryptioncontext:aws:s3:arn"] == (CAT,)

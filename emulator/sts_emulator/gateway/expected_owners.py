"""The accounts that a caller expects its buckets to be of: S3 does nothing in a bucket of another."""

from __future__ import annotations

import re
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import verdicts
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.resource_policies import ResourcePolicies

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_EXPECTED: Final = frozenset({"x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"})
_SOURCE: Final = "x-amz-copy-source"


def are_told(passage: Passage) -> bool:
    """Whether a caller expects any."""
    return not _EXPECTED.isdisjoint(passage.request.headers)


async def check(passage: Passage, known: ResourcePolicies) -> None:
    """Refuse a call whose caller expects another owner. Source: S3 User Guide, "Verifying bucket ownership …".

    Raises:
        AwsError: it is another's, or what is expected is no account; and what asking for the owner raises.
    """
    headers = passage.request.headers
    source = headers.get(_SOURCE, "").removeprefix("/").partition("/")[0]
    buckets = {
        "x-amz-expected-bucket-owner": str(passage.parameters.get("Bucket", "")),
        "x-amz-source-expected-bucket-owner": source,
    }
    for name, bucket in buckets.items():
        expected = headers.get(name)
        if expected is None or not bucket:
            continue
        if not _ACCOUNT.fullmatch(expected):
            told = "The value of the expected bucket owner parameter must be an AWS Account ID..."
            raise AwsError("InvalidBucketOwnerAWSAccountID", told)
        guarded = await verdicts.guarded_by(passage, known, f"arn:aws:s3:::{bucket}")
        if expected != (guarded.owner or passage.account):
            raise AwsError("AccessDenied", "Access Denied", status=403)

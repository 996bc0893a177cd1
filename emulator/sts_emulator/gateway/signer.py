"""Who signed a call of a foreign service: any of SigV4's forms, or nobody."""

from __future__ import annotations

import re
from functools import partial

from sts_emulator.accounts import documents
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import header_sizes, hoisted_headers, large_bodies
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.recognition import S3
from sts_emulator.vending import authenticate
from sts_emulator.vending.context import Caller
from sts_emulator.wire import http, sigv4, sigv4_s3
from sts_emulator.wire.sigv4 import Signed

_OLDER = re.compile(r"(?:^|&)AWSAccessKeyId=")  # SigV2, which S3 does not take for new buckets
_WHOLE_REGION_SETS = ("*", "")


def identify(passage: Passage) -> None:
    """Say who claims to have signed, before a body is read; what S3 signs holds without it, and is verified.

    Raises:
        AwsError: in the words that services other than S3 use.
    """
    ctx, request = passage.ctx, passage.request
    if (request.query and _OLDER.search(request.query)) or request.headers.get("authorization", "").startswith("AWS "):
        raise AwsError(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            status=400,
        )
    signed = sigv4.read(request)
    if ctx.server.settings.permissive:
        key_id, token = (signed.access_key_id, signed.token) if signed else ("", "")
        ctx.region = signed.region or ctx.region if signed else ctx.region
        ctx.caller = authenticate.permissive(ctx.world, key_id, token, ctx.server.settings.account)
        passage.said = _unproven(passage)
        return
    if signed is None:
        if passage.signing_name != S3:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", status=403)
        passage.said = _unproven(passage)
        return
    passage.signed = signed
    _check(passage)
    ctx.caller, passage.secret = identified(passage, signed)
    if passage.signing_name == S3:
        try:
            passage.said = sigv4_s3.verify(request, signed, passage.secret)
        except AwsError as refused:
            _diagnose(passage, signed, refused.members.get("CanonicalRequest", ""))
            raise
        if signed.presigned:
            passage.request = hoisted_headers.lowered(request)
            header_sizes.check(passage.request)
        _touch(passage)


def identified(passage: Passage, signed: Signed) -> tuple[Caller, str]:
    """Whose key signed, and its secret. Raises AwsError; of a token that is none S3 speaks in words of its own."""
    try:
        return authenticate.identify(passage.ctx.world, signed.access_key_id, signed.token)
    except AwsError as refused:
        if passage.signing_name == S3 and signed.token and refused.code == "InvalidClientTokenId":
            told = "The provided token is malformed or otherwise invalid."
            raise AwsError("InvalidToken", told, status=400) from None
        raise


async def verify(passage: Passage) -> None:
    """Recompute the signature of a call whose body has been read. Raises AwsError."""
    request, signed = passage.request, passage.signed
    if signed is not None and passage.signing_name != S3:
        try:
            await large_bodies.worked(request.body, partial(sigv4.verify, request, signed, passage.secret))
        except AwsError:
            _diagnose(passage, signed)
            raise
        _touch(passage)


def _diagnose(passage: Passage, signed: Signed, canonical: str = "") -> None:
    if passage.signing_name == S3 and not canonical:
        return  # the signature is right, and something else is wrong
    from sts_emulator.wire.signature_diagnosis import diagnose

    passage.ctx.evidence.update(diagnose(passage.request, signed, passage.secret, canonical))


def _check(passage: Passage) -> None:
    ctx, signed = passage.ctx, passage.signed
    assert signed is not None
    regions = passage.request.headers.get("x-amz-region-set", "")
    ctx.region = signed.region or (ctx.region if regions in _WHOLE_REGION_SETS else regions.partition(",")[0])
    if passage.signing_name == S3 or signed.presigned:
        sigv4_s3.check_time(signed, passage.request.query, clock.real())
        sigv4.check(signed, signed.time, passage.signing_name)
    else:
        sigv4.check(signed, clock.real(), passage.signing_name)


def _unproven(passage: Passage) -> str:
    """What a request that is not verified says of its payload."""
    said = passage.request.headers.get("x-amz-content-sha256", "")
    said = said or http.form(passage.request.query).get("X-Amz-Content-Sha256", "")
    return said if said in sigv4_s3.STREAMED else sigv4_s3.UNSIGNED


def _touch(passage: Passage) -> None:
    ctx, signed = passage.ctx, passage.signed
    if signed is not None and not signed.token:
        ctx.world.touch(documents.ACCESS_KEY, signed.access_key_id, (ctx.world.now(), ctx.region, passage.signing_name))

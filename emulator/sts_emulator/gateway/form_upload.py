"""An upload to S3 by a browser's form: who signed its policy, whether the form keeps to it, and what it makes.

What goes to the upstream is a plain PutObject: the form has been read and judged here, and nobody reads it again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import IO, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import forwarding, post_policy, resigning, signer, uploads
from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.exchange import Exchange
from sts_emulator.gateway.multipart import Form, FormReader
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.post_policy import PostPolicy
from sts_emulator.gateway.recognition import check_key
from sts_emulator.vending import authenticate
from sts_emulator.wire import foreign_parameters, sigv4, sigv4_s3, timestamps
from sts_emulator.wire.foreign_routing import Meant
from sts_emulator.wire.http import Request, Response
from sts_emulator.wire.models import Service, foreign

_PIECE: Final = 65_536
_SIGNED_PARTS: Final = ("x-amz-credential", "x-amz-date", "x-amz-signature")
# Fields that become headers of the object: S3 API Reference, "POST Object".
_HEADERS: Final = frozenset(
    {
        *("cache-control", "content-type", "content-disposition", "content-encoding", "expires"),
        *("x-amz-storage-class", "x-amz-website-redirect-location", "x-amz-object-lock-mode"),
        *("x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"),
    }
)
_PREFIXES: Final = ("x-amz-meta-", "x-amz-server-side-encryption", "x-amz-checksum-", "x-amz-grant-")
_UNSAFE = re.compile("[\x00-\x1f\x7f]")


def is_form(passage: Passage) -> bool:
    """Whether a request is a form, sent to a bucket."""
    if passage.request.method != "POST":
        return False
    kind = passage.request.headers.get("content-type", "").lower()
    return "/" not in passage.request.raw_path.strip("/") and kind.startswith("multipart/form-data")


def reader(passage: Passage) -> FormReader:
    """What reads the form. Raises AwsError where it is none."""
    return FormReader(passage.request.headers["content-type"], uploads.received(passage.receive))


def judge(passage: Passage, form: Form) -> PostPolicy:
    """Find who signed the form's policy, and hold its fields to it; the passage is a PutObject then.

    Raises:
        AwsError: the signature is not genuine, or the form does not keep to its policy.
    """
    policy = _signed_policy(passage, form.fields)
    bucket = passage.request.raw_path.strip("/")
    if "key" not in form.fields or not form.fields["key"]:
        raise AwsError("InvalidArgument", "Bucket POST must contain a field named 'key'.")
    policy.check({**form.fields, "bucket": form.fields.get("bucket", bucket)}, clock.real())
    if form.fields.get("bucket", bucket) != bucket:
        raise AwsError("AccessDenied", "Invalid according to Policy: the form names another bucket", status=403)
    key = form.fields["key"].replace("${filename}", form.file_name)
    check_key(key)
    _become_put(passage, bucket, key, form)
    return policy


def _signed_policy(passage: Passage, fields: Mapping[str, str]) -> PostPolicy:
    ctx = passage.ctx
    if "policy" not in fields:
        return post_policy.NONE  # an anonymous upload: the bucket's policy decides
    policy = post_policy.read(fields["policy"])
    if ctx.server.settings.permissive:
        key_id = fields.get("x-amz-credential", "").partition("/")[0]
        ctx.caller = authenticate.permissive(
            ctx.world, key_id, fields.get("x-amz-security-token", ""), ctx.server.settings.account
        )
        return policy
    missing = next((name for name in _SIGNED_PARTS if not fields.get(name)), "")
    if missing or fields.get("x-amz-algorithm") != sigv4.HMAC:
        name = missing or "x-amz-algorithm"
        raise AwsError("InvalidArgument", f"Bucket POST must contain a field named '{name}'.")
    signed = _claim(fields)
    sigv4.check(signed, signed.time, "s3")
    ctx.region = signed.region
    caller, secret = signer.identified(passage, signed)
    if not sigv4_s3.is_genuine(signed, secret, signed.signature, fields["policy"]):
        raise sigv4_s3.mismatched()
    ctx.caller, passage.signed = caller, signed
    return policy


def _claim(fields: Mapping[str, str]) -> sigv4.Signed:
    parts = fields["x-amz-credential"].split("/")
    try:
        time = timestamps.parse_basic(fields["x-amz-date"])
        key_id, date, region, service, terminator = parts
    except ValueError:
        raise AwsError("InvalidArgument", "The form's credential or date is malformed.") from None
    return sigv4.Signed(
        algorithm=sigv4.HMAC,
        credential=fields["x-amz-credential"],
        access_key_id=key_id,
        scope_date=date,
        region=region,
        service=service,
        terminator=terminator,
        signed_headers=[],
        signature=fields["x-amz-signature"],
        date=fields["x-amz-date"],
        time=time,
        token=fields.get("x-amz-security-token", ""),
        presigned=False,
    )


def _become_put(passage: Passage, bucket: str, key: str, form: Form) -> None:
    """The request as if the object had been put; its headers are what the form says."""
    headers = {name: value for name, value in form.fields.items() if name in _HEADERS or name.startswith(_PREFIXES)}
    if any(_UNSAFE.search(value) for value in headers.values()):
        raise AwsError("InvalidArgument", "A field of the form cannot be a header.")
    if "acl" in form.fields:
        headers["x-amz-acl"] = form.fields["acl"]
    kept = {name: value for name, value in passage.request.headers.items() if name in ("host", "origin", "user-agent")}
    path = f"/{bucket}/{quote(key, safe='/~-._')}"
    service = foreign("s3")
    if "tagging" in form.fields:
        headers["x-amz-tagging"] = _tags(service, replace(passage.request, raw_path=path), form.fields["tagging"])
    passage.request = replace(passage.request, method="PUT", raw_path=path, query="", headers={**kept, **headers})
    passage.meant = Meant(service, service.operations["PutObject"], "rest-xml")
    passage.ctx.operation = "PutObject"
    passage.parameters = foreign_parameters.read(passage.meant, passage.request)
    passage.ctx.parameters = passage.parameters


def _tags(service: Service, request: Request, document: str) -> str:
    """The tags that a form sets, as a header has them: the form has them as PutObjectTagging does. Raises AwsError."""
    tagging = Meant(service, service.operations["PutObjectTagging"], "rest-xml")
    given = foreign_parameters.read(tagging, replace(request, query="tagging", headers={}, body=document.encode()))
    return urlencode([(tag["Key"], tag["Value"]) for tag in read.structures(given, "Tagging.TagSet")])


async def send(passage: Passage, form: Form) -> Exchange:
    """Send the object. Raises LateError and BrokenError."""
    assert form.file is not None
    headers = resigning.passing(passage.request.headers)
    head = forwarding.head_of(passage, headers, _digest(form.file), form.size)
    return await forwarding.send_pieces(passage, head, _pieces(form.file))


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a binary file, spooled
    file.seek(0)
    return digest


def answer(passage: Passage, fields: Mapping[str, str], headers: list[tuple[str, str]]) -> Response:
    """What the browser is told: where to go on, or what was made (S3 API Reference, "POST Object")."""
    told: dict[str, str] = dict(headers)
    bucket, key = str(passage.parameters["Bucket"]), str(passage.parameters["Key"])
    place = f"{passage.ctx.base_url}/{quote(bucket)}/{quote(key)}"
    kept = [
        (name, value) for name, value in headers if name == "etag" or name.startswith(("access-control-", "x-amz-v"))
    ]
    kept += [("x-amz-request-id", passage.ctx.request_id)]
    target = fields.get("success_action_redirect") or fields.get("redirect", "")
    if target.startswith(("http://", "https://")) and not _UNSAFE.search(target):
        return Response(303, [*kept, ("location", _with_object(target, bucket, key, told.get("etag", "")))], b"")
    kept.append(("location", place))
    status = fields.get("success_action_status", "204")
    if status != "201":
        return Response(200 if status == "200" else 204, kept, b"")
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>'
        f"<Location>{escape(place)}</Location><Bucket>{escape(bucket)}</Bucket><Key>{escape(key)}</Key>"
        f"<ETag>{escape(told.get('etag', ''))}</ETag></PostResponse>"
    )
    return Response(201, [*kept, ("content-type", "application/xml")], text.encode())


def _with_object(target: str, bucket: str, key: str, etag: str) -> str:
    parts: Any = urlsplit(target)
    query = urlencode([*parse_qsl(parts.query), ("bucket", bucket), ("key", key), ("etag", etag)])
    return str(urlunsplit(parts._replace(query=query)))

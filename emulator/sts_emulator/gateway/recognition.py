"""Which requests are the door's: those signed for services that are not here, and S3's that nobody has signed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from sts_emulator.core.errors import AwsError
from sts_emulator.pages import routes
from sts_emulator.wire import dispatch, http, models
from sts_emulator.wire.http import Request

S3: Final = "s3"
SHARED: Final = frozenset({"ec2", "eks", "cloudtrail"})
"""Services of which some operations are here: the others may pass."""

_SCOPE = re.compile(r"/([a-z0-9-]{1,64}+)/aws4_request", re.ASCII)
_CREDENTIAL = re.compile(
    r"X-Amz-Credential=[^&]{1,512}?(?:/|%2[Ff])([a-z0-9-]{1,64})(?:/|%2[Ff])aws4_request", re.ASCII
)
_S3_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.(?:s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com|(?:s3\.)?localhost)",
    re.ASCII,
)
_SERVED_HOST = re.compile(r"s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com|s3\.localhost", re.ASCII)
_NEW_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")
_UPSTREAMS_OWN: Final = frozenset({"moto-api", "_localstack", "_aws", "minio"})
"""Where other emulators are run from: no buckets, whoever asks."""

_PLAIN_PATH = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._-]{2,254})(?:/[A-Za-z0-9_=~-][A-Za-z0-9._=~-]*)*", re.ASCII)
"""A bucket and a key in which nothing is escaped and no part begins with a dot, as most are."""

_STEP = re.compile(r"(?:^|[/\\])\.\.?(?:[/\\]|\Z)|[\x00-\x1f]")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})|%00")
_EXECUTION = re.compile(
    r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[\w-]+:(?:\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/[\w-]+/[\w-]+",
    re.ASCII,
)
"""The ARN of a durable execution of Lambda: the one name in a path that has slashes (API Reference, its pattern)."""

_ANONYMOUS_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"})
_FORM: Final = "multipart/form-data"


def service_of(request: Request) -> str:
    """The name that a request of the door's is signed with; "" for one that is not the door's.

    What nobody has signed is S3's where it is nobody else's: of an anonymous caller, or a browser with a form.
    """
    signed = signed_service(request.headers, request.query)
    if signed:
        return "" if signed in _here() else signed
    if request.headers.get("authorization", "").startswith("AWS "):  # SigV2, which is S3's alone
        return S3
    if "authorization" in request.headers or "x-amz-target" in request.headers or request.raw_path == "/":
        return S3 if bucket_in_host(request.headers) and "x-amz-target" not in request.headers else ""
    if request.method not in _ANONYMOUS_METHODS or not _may_be_a_bucket(request.raw_path):
        return ""
    if request.method == "POST" and not request.headers.get("content-type", "").startswith(_FORM):
        return ""
    return "" if _is_an_operation(request) else S3


def signed_service(headers: Mapping[str, str], query: str) -> str:
    """The service in the scope of a request's signature, or ""."""
    scope = _SCOPE.search(headers.get("authorization", "")) or (_CREDENTIAL.search(query) if query else None)
    return scope[1] if scope else ""


@cache
def whole_here() -> frozenset[str]:
    """The names that services sign with of which all is here."""
    return _here() - SHARED


@cache
def _here() -> frozenset[str]:
    """The names that the services here sign with."""
    return frozenset(models.signing_name(service) for service in dispatch.MODULES)


def _may_be_a_bucket(path: str) -> bool:
    """Whether a path that nobody has signed may begin with a bucket: pages of ours go first."""
    first = path[1:].partition("/")[0]
    return _NEW_BUCKET.fullmatch(first) is not None and path != "/health" and not routes.is_page("GET", path)


def _is_an_operation(request: Request) -> bool:
    """Whether an unsigned request is one of the operations here that need no signature."""
    try:
        dispatch.match(request)
    except (AwsError, dispatch.NoAction):
        return False
    return True


def bucket_in_host(headers: Mapping[str, str]) -> str:
    """The bucket that the host names, as `BUCKET.localhost` does; "" where none does."""
    return _bucket_of(headers.get("host", ""))


@lru_cache(maxsize=1024)
def _bucket_of(given: str) -> str:
    host = (given.rpartition(":")[0] or given).lower().rstrip(".")
    host_name = _S3_HOST.fullmatch(host)
    return host_name["bucket"] if host_name and not _SERVED_HOST.fullmatch(host) else ""


def in_path_style(request: Request) -> str:
    """The path of a request to S3 as `/bucket/key`, escaped as it came.

    Raises:
        AwsError: `InvalidURI`, or `InvalidBucketName`.
    """
    bucket = bucket_in_host(request.headers)
    path = f"/{bucket}{request.raw_path}" if bucket else request.raw_path
    plain = _PLAIN_PATH.fullmatch(path)
    if plain is not None and plain[1] not in _UPSTREAMS_OWN and "%" not in request.query:
        return path
    if _BAD_ESCAPE.search(path) or not path.startswith("/") or not (is_text(path) and is_text(request.query)):
        raise AwsError("InvalidURI", "Couldn't parse the specified URI.", status=400)
    decoded = http.unquote(path)
    check_key(decoded)
    # Its end is a slash that is not escaped: of another one the operation is a bucket's here, an object's upstream.
    name = http.unquote(path[1:].partition("/")[0])
    is_bucket = _BUCKET.fullmatch(name) and name not in _UPSTREAMS_OWN
    if decoded != "/" and not path.startswith("/v20180820/") and not is_bucket:
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", status=400)
    return path


def check_key(key: str) -> None:
    """Strict reading: who takes `..` for a step upwards would act on another key than the one that was decided on.

    Raises:
        AwsError: `InvalidURI`.
    """
    if _STEP.search(key):
        raise AwsError("InvalidURI", "Couldn't parse the specified URI.", status=400)


def is_text(escaped: str) -> bool:
    """Whether it is UTF-8: of what is not, the decision would be about another name than the upstream acts on."""
    if "%" not in escaped:
        return True
    try:
        unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        return False
    return True


def straight(request: Request, *, has_plain_names: bool) -> str:
    """The path of another service, if it and the query can only be read in one way.

    `has_plain_names`: no name in its paths has a slash, but for those of executions, so an escaped one is there to be
    taken for one of the path; nor has any a percent sign, which is there to be unescaped once more.

    Raises:
        AwsError: `InvalidRequest`.
    """
    path = request.raw_path
    decoded = [http.unquote(segment) for segment in path[1:].split("/")]
    inner = decoded[:-1]
    if (
        not path.startswith("/")
        or _BAD_ESCAPE.search(path)
        or not (is_text(path) and is_text(request.query))
        or "" in inner
        or (has_plain_names and not all(map(_is_plain, decoded)))
        or {".", ".."} & {part for segment in decoded for part in segment.replace("\\", "/").split("/")}
    ):
        raise AwsError("InvalidRequest", "The path or the query of this request can be read in two ways.", status=400)
    return path


def _is_plain(name: str) -> bool:
    return not {"/", "\\", "%"}.intersection(name) or _EXECUTION.fullmatch(name) is not None

"""Answers name the door: a client that was told the upstream's address would walk round the door from then on."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from sts_emulator.core.hosts import is_loopback
from sts_emulator.gateway.upstreams import Upstream

# Operations whose answers hold no data of callers, but URLs: in these any origin is the upstream's.
_URLS_ONLY: Final = {
    "sqs": frozenset({"CreateQueue", "GetQueueUrl", "ListQueues", "ListDeadLetterSourceQueues"}),
    "lambda": frozenset({"CreateFunctionUrlConfig", "GetFunctionUrlConfig", "UpdateFunctionUrlConfig"}),
}
# Services whose other answers are data of callers, which nobody may change: a digest may stand beside it.
_DATA: Final = frozenset(
    {
        *("s3", "sqs", "dynamodb", "dynamodbstreams", "kinesis", "kms", "secretsmanager", "ssm", "logs", "firehose"),
        *("lambda", "events", "stepfunctions"),
    }
)
_URLS_TOO: Final = {
    "lambda": frozenset({"GetFunction", "ListFunctionUrlConfigs"}),
    "s3": frozenset({"CompleteMultipartUpload"}),
}
_ANY_QUEUE: Final = re.compile(r"https?:(?:\\?/){2}[^/\"<\\\s]+(?=\\?/)")
_LOCATION: Final = re.compile(r"(<Location>)[^<]*(</Location>)")


def holds_urls(service: str, operation: str) -> bool:
    """Whether an answer may name its upstream, so that it has to be read whole."""
    named = _URLS_ONLY.get(service, frozenset()) | _URLS_TOO.get(service, frozenset())
    return operation in named or service not in _DATA


def renamed(upstream: Upstream, base_url: str, service: str, operation: str, body: str) -> str:
    """An answer in which the door stands for its upstream."""
    if service == "sqs" and operation in _URLS_ONLY["sqs"]:
        return _ANY_QUEUE.sub(lambda _: base_url, body)
    return _origins(upstream).sub(lambda _: base_url, body)


def location(upstream: Upstream, base_url: str, value: str) -> str:
    """A Location header that leads to the door."""
    return _origins(upstream).sub(lambda _: base_url, value, count=1)


def object_location(base_url: str, bucket: str, key: str, body: str) -> str:
    """What CompleteMultipartUpload answers, with the object's place at the door."""
    place = escape(f"{base_url}/{quote(bucket)}/{quote(key)}")
    return _LOCATION.sub(lambda location: location[1] + place + location[2], body, count=1)


def for_upstream(upstream: Upstream, base_url: str, body: bytes) -> bytes:
    """A call of SQS in JSON, whose queue's URL is the upstream's again; all else stays as it was sent."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        return body
    url = content.get("QueueUrl") if isinstance(content, dict) else None
    if not isinstance(url, str) or not url.startswith(f"{base_url}/"):
        return body
    content["QueueUrl"] = f"{upstream.origin}{upstream.prefix}{url.removeprefix(base_url)}"
    return json.dumps(content, separators=(",", ":")).encode()


@cache
def _origins(upstream: Upstream) -> re.Pattern[str]:
    """The upstream's origin, under each of its names where it is on this machine."""
    scheme, _, authority = upstream.origin.partition("://")
    names = {authority}
    if is_loopback(upstream.host):
        names |= {f"{name}:{upstream.port}" for name in ("localhost", "127.0.0.1", "0.0.0.0", "[::1]")}  # noqa: S104 - a name in an answer
    either = "|".join(re.escape(name) for name in sorted(names))
    return re.compile(rf"{scheme}:(?:\\?/){{2}}(?:{either})(?![\w.:-]){re.escape(upstream.prefix)}")

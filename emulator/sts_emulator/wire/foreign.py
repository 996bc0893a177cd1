"""Requests that are signed for a service which is not here: which one, its protocol, and what to tell its client."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import http

_SCOPE: Final = re.compile(r"Credential=[^,\s]{1,512}?/([a-z0-9-]{1,64})/aws4_request", re.ASCII)
_XML: Final = frozenset({"s3", "s3-outposts", "s3express", "route53", "cloudfront"})
"""Services of botocore's rest-xml protocol."""

_OWN_NAME: Final = _XML | frozenset(
    {"dynamodb", "sqs", "sns", "lambda", "kms", "secretsmanager", "ssm", "kinesis", "athena", "glue", "ecr", "firehose"}
)
"""Services whose endpoint variable is called as their signatures are; others' ids differ (`monitoring`, CLOUDWATCH)."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A service that is not here, and how its errors are written."""

    service: str
    protocol: str

    @property
    def advice(self) -> str:
        """What to do, as the error's message."""
        name = self.service.upper().replace("-", "_") if self.service in _OWN_NAME else "<SERVICE>"
        return (
            f"sts-emulator does not have the service {self.service}. Start it with `serve --upstream URL` to pass such "
            "calls, once they are decided, to an emulator that has it, such as moto, LocalStack or MinIO; or point "
            f"clients there: AWS_ENDPOINT_URL_{name}=http://... goes before AWS_ENDPOINT_URL."
        )


def signed_for(request: http.Request) -> str:
    """The name of the service that the header's signature is for; "" without one."""
    signed = _SCOPE.search(request.headers.get("authorization", ""))
    return signed[1] if signed else ""


def foreign(request: http.Request, here: Container[str]) -> Foreign | None:
    """The service that a request is signed for, unless it is one of those `here`."""
    service = signed_for(request)
    return Foreign(service, _protocol(request, service)) if service and service not in here else None


def _protocol(request: http.Request, service: str) -> str:
    if service in _XML:
        return "rest-xml"
    if "x-amz-target" in request.headers:
        return "json"
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return "query" if form else "rest-json"

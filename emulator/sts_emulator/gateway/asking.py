"""What the door asks of an upstream itself, before it decides: as an account, and nothing where that fails inside."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import conversation, resigning
from sts_emulator.gateway.conversation import Whole
from sts_emulator.gateway.known_actions import SERVICES
from sts_emulator.gateway.upstreams import Upstream
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import models

if TYPE_CHECKING:
    from lxml.etree import _Element

log = logging.getLogger("emulator")

OK: Final = 200
MISSING: Final = 404
_LARGEST: Final = 8 << 20
_FAILED: Final = 500
_UNKNOWN_HERE: Final = 501  # not implemented: then there is nothing to be told
_KEPT_BACK: Final = (401, 403)


Accounts = Callable[[], Awaitable[Iterable[str]]]
"""Who else there is, asked for where it is of use."""


async def _nobody() -> Iterable[str]:
    return ()


@dataclass(slots=True)
class Place:
    """Where to ask: the upstream, and as whom."""

    upstream: Upstream
    account: str
    region: str
    accounts: Accounts = _nobody


async def ask(
    place: Place,
    service: str,
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    operation: str = "",
) -> Whole:
    """An upstream's answer; one that fails inside tells nothing, so nothing is decided by it.

    Raises AwsError then, LateError and BrokenError.
    """
    head = resigning.head(
        place.upstream,
        account=place.account,
        service=service,
        region=place.region,
        method=method,
        path=path,
        query=query,
        headers=headers or {},
        payload=resigning.digest(body),
        length=len(body) if body else None,
    )
    exchange = await conversation.start(place.upstream, method, head, body)
    answer = await conversation.whole(place.upstream, exchange, _LARGEST)
    if (answer.status >= _FAILED and answer.status != _UNKNOWN_HERE) or answer.status in _KEPT_BACK:
        asked = operation or f"{method} {path}{query and f'?{query}'}"
        raise unreadable(f"the upstream {place.upstream.origin} answered {answer.status} to {service}'s {asked}")
    return answer


async def ask_json(place: Place, prefix: str, operation: str, asked: Any) -> Any:
    """What an upstream's answer in JSON holds; None where it is an error. `prefix` is that of the service's actions."""
    model = models.foreign(SERVICES[prefix])
    headers = {
        "content-type": f"application/x-amz-json-{model.json_version}",
        "x-amz-target": f"{model.target_prefix}.{operation}",
    }
    body = resigning.in_one_reading(json.dumps(asked).encode())
    return content(await ask(place, prefix, "POST", "/", headers=headers, body=body, operation=operation))


async def ask_form(place: Place, service: str, operation: str, asked: Mapping[str, str]) -> _Element | None:
    """The root of an upstream's answer in XML to a call of the query protocol; None where it is an error."""
    form = urlencode({"Action": operation, "Version": models.foreign(service).api_version, **asked})
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return xml(await ask(place, service, "POST", "/", headers=headers, body=form.encode(), operation=operation))


Naming = Callable[[Place, str, str], Mapping[str, Any]]
"""What a call names a resource with, by its ARN and what of that names it within its account; nothing: not at all."""

_SUFFIX: Final = "-??????"  # of a secret that was named without what AWS adds


def queue(place: Place, _arn: str, name: str) -> Mapping[str, str]:
    return {"QueueUrl": f"{place.upstream.origin}{place.upstream.prefix}/{place.account}/{name}"}


def secret(_: Place, arn: str, resource: str) -> Mapping[str, str]:
    return {"SecretId": resource.removeprefix("secret:").removesuffix(_SUFFIX) if arn.endswith(_SUFFIX) else arn}


def content(answer: Whole) -> Any:
    """What an answer in JSON holds; None where it is an error."""
    if answer.status != OK:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        raise unreadable("what the upstream answered is no JSON") from None


def text(answer: Any, *path: str) -> str:
    """The text at a path of what an answer holds, or ""."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer if isinstance(answer, str) else ""


def xml(answer: Whole) -> _Element | None:
    """The root of an answer in XML; None where there is none."""
    from lxml import etree

    if answer.status != OK:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(answer.body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise unreadable("what the upstream answered is no XML") from None


def unreadable(why: str) -> AwsError:
    """What is not understood allows nothing."""
    told = f"sts-emulator cannot read the policy or the tags of this resource, so the call is denied: {why}"
    log.warning("%s", told)
    return AwsError("AccessDenied", told, status=403)

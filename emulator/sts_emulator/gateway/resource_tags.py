"""The tags that resources have at their upstream: read before each decision that hangs on them, and only then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sts_emulator.gateway import asking, known_actions, parameters
from sts_emulator.gateway.asking import Naming, Place
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.known_actions import SERVICES
from sts_emulator.gateway.resource_policies import ResourcePolicies
from sts_emulator.policy.arns import parse_arn, unqualified
from sts_emulator.policy.deciding.document import Document
from sts_emulator.vending.context import Keys

if TYPE_CHECKING:
    from lxml.etree import _Element

_KEYS: Final = re.compile(r"([a-z0-9-]+:(?:existingobjecttag|resourcetag|buckettag)/)", re.IGNORECASE)
_OBJECTS: Final = "s3:existingobjecttag/"

Tags = Mapping[str, str]


async def keys(
    known: ResourcePolicies,
    need: Need,
    owner: str,
    region: str,
    wanted: frozenset[str],
    read_before: dict[str, Tags],
) -> Keys:
    """The condition keys of a resource's tags, where the action has them; `wanted` are their kinds.

    `read_before` has the tags of buckets that were read for the same call.

    Raises:
        AwsError: the upstream does not tell.
        LateError: it does not answer in time.
        BrokenError: it does not answer.
    """
    prefix, _, name = need.action.partition(":")
    arn = parse_arn(need.resource)
    place = known.place(prefix, owner, (arn and arn.region) or region)
    if arn is None or place is None or prefix not in SERVICES or "*" in arn.resource:
        return {}
    action = known_actions.of_service(SERVICES[prefix]).actions[name]
    wanted &= {key.partition("/")[0] + "/" for key in action.keys | action.resource_keys}
    if prefix != "s3":
        return _told(wanted, await _of_resource(place, prefix, need.resource, arn.resource) if wanted else {})
    told = {}
    if _OBJECTS in wanted:
        told = _told((_OBJECTS,), await _of_object(place, arn.resource, need.keys.get("s3:versionid", ("",))[0]))
    if of_bucket := wanted - {_OBJECTS}:
        bucket = arn.resource.partition("/")[0]
        if bucket not in read_before:
            read_before[bucket] = await _of_bucket(place, bucket)
        told |= _told(of_bucket, read_before[bucket])
    return told


def wanted(policies: Iterable[Document]) -> frozenset[str]:
    """The kinds of tags that policies ask for."""
    kinds = frozenset[str]()
    for document in policies:
        if asked := _asked_for(document.text):
            kinds |= asked
    return kinds


def _told(families: Iterable[str], tags: Tags) -> dict[str, tuple[str, ...]]:
    return {f"{family}{key.lower()}": (value,) for family in families for key, value in tags.items()}


@lru_cache(maxsize=4096)
def _asked_for(text: str) -> frozenset[str]:
    """The kinds of tags that a policy's conditions and variables name."""
    return frozenset(key.lower() for key in _KEYS.findall(text))


async def _of_object(place: Place, named: str, version: str) -> Tags:
    query = f"tagging=&versionId={quote(version, safe='')}" if version else "tagging="
    bucket, _, key = named.partition("/")
    answer = await asking.ask(place, "s3", "GET", f"/{quote(bucket)}/{quote(key, safe='/~')}", query=query)
    return _in_xml(asking.xml(answer), "Tag")


async def _of_bucket(place: Place, bucket: str) -> Tags:
    """A bucket's own tags count where it is told so (S3 User Guide, "Enabling ABAC in general purpose buckets").

    An upstream that does not know of this may answer with something else, such as a list of objects.
    """
    path = f"/{quote(bucket)}"
    status = asking.xml(await asking.ask(place, "s3", "GET", path, query="abac="))
    if status is None or not status.tag.endswith("AbacStatus") or status.findtext("{*}Status") != "Enabled":
        return {}
    return _in_xml(asking.xml(await asking.ask(place, "s3", "GET", path, query="tagging=")), "Tag")


def _in_xml(root: _Element | None, *elements: str) -> Tags:
    tagged = root.iter(*(f"{{*}}{element}" for element in elements)) if root is not None else ()
    pairs = ((tag.findtext("{*}Key") or tag.findtext("{*}key"), tag) for tag in tagged)
    return {key: tag.findtext("{*}Value") or tag.findtext("{*}value") or "" for key, tag in pairs if key}


# How each service is asked --------------------------------------------------------------------------------------------


def _parameter(_: Place, _arn: str, resource: str) -> dict[str, str]:
    """By its name: its ARN leaves out the slash before a path."""
    name = resource.removeprefix("parameter/")
    return {"ResourceType": "Parameter", "ResourceId": f"/{name}" if "/" in name else name}


_IN_JSON: Final[Mapping[str, tuple[str, Naming]]] = {
    "dynamodb": ("ListTagsOfResource", lambda _, arn, __: {"ResourceArn": arn.partition("/index/")[0]}),
    "ecr": ("ListTagsForResource", lambda _, arn, __: {"resourceArn": arn}),
    "events": ("ListTagsForResource", lambda _, arn, __: {"ResourceARN": arn}),
    "kinesis": ("ListTagsForStream", lambda _, __, resource: {"StreamName": resource.partition("/")[2]}),
    "kms": ("ListResourceTags", lambda _, __, resource: {"KeyId": resource.partition("/")[2]}),
    "logs": ("ListTagsForResource", lambda _, arn, __: {"resourceArn": arn.partition(":log-stream:")[0]}),
    "secretsmanager": ("DescribeSecret", asking.secret),
    "sqs": ("ListQueueTags", asking.queue),
    "ssm": ("ListTagsForResource", _parameter),
    "states": ("ListTagsForResource", lambda _, arn, __: {"resourceArn": arn}),
}
_IN_FORMS: Final[Mapping[str, tuple[str, Naming]]] = {
    "ec2": (
        "DescribeTags",
        lambda _, __, resource: {"Filter.1.Name": "resource-id", "Filter.1.Value.1": resource.partition("/")[2]},
    ),
    "sns": ("ListTagsForResource", lambda _, arn, __: {"ResourceArn": arn}),
}


async def _of_resource(place: Place, prefix: str, arn: str, resource: str) -> Tags:
    if prefix == "lambda":
        whole, _ = unqualified(arn)  # its versions have its tags
        told = asking.content(await asking.ask(place, "lambda", "GET", f"/2017-03-31/tags/{quote(whole, safe='')}"))
    elif prefix in _IN_JSON:
        operation, naming = _IN_JSON[prefix]
        told = await asking.ask_json(place, prefix, operation, naming(place, arn, resource))
    elif prefix in _IN_FORMS:
        operation, naming = _IN_FORMS[prefix]
        return _in_xml(await asking.ask_form(place, prefix, operation, naming(place, arn, resource)), "item", "member")
    else:
        return {}
    return parameters.tags(told) if isinstance(told, dict) else {}

"""The policies that resources have at their upstream, and whose the resources are: asked for there, and remembered.

What is remembered goes when a call through the door changes it; what changes past the door is seen half a minute later.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from sts_emulator.core import clock
from sts_emulator.gateway import asking
from sts_emulator.gateway.asking import MISSING, OK, Accounts, Naming, Place
from sts_emulator.gateway.upstreams import Upstreams
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import Document, MalformedPolicy, parse
from sts_emulator.policy.light_dataclass import dataclass

_LASTING: Final = 30.0
_MOST: Final = 10_000
_PAGES: Final = 100  # of an account's aliases, of which AWS lists fifty at a time

# Operations after which what is remembered of a service's policies and owners may be wrong.
_CHANGING: Final = {
    "s3": frozenset({"CreateBucket", "DeleteBucket", "PutBucketPolicy", "DeleteBucketPolicy"}),
    "sqs": frozenset({"CreateQueue", "DeleteQueue", "SetQueueAttributes", "AddPermission", "RemovePermission"}),
    "sns": frozenset({"CreateTopic", "DeleteTopic", "SetTopicAttributes", "AddPermission", "RemovePermission"}),
    "kms": frozenset({"CreateKey", "PutKeyPolicy", "CreateAlias", "UpdateAlias", "DeleteAlias", "ReplicateKey"}),
    "secretsmanager": frozenset({"CreateSecret", "DeleteSecret", "PutResourcePolicy", "DeleteResourcePolicy"}),
    "dynamodb": frozenset({"CreateTable", "DeleteTable", "UpdateTable", "PutResourcePolicy", "DeleteResourcePolicy"}),
    "kinesis": frozenset({"CreateStream", "DeleteStream", "PutResourcePolicy", "DeleteResourcePolicy"}),
    "ecr": frozenset({"CreateRepository", "DeleteRepository", "SetRepositoryPolicy", "DeleteRepositoryPolicy"}),
    "events": frozenset({"CreateEventBus", "DeleteEventBus", "UpdateEventBus", "PutPermission", "RemovePermission"}),
    "lambda": frozenset({"CreateFunction", "DeleteFunction", "AddPermission", "RemovePermission"})
    | {"PutResourcePolicy", "DeleteResourcePolicy"},
}

_BUCKETS: Final = "arn:aws:s3:::"
STRANGER: Final = "000000000000"
"""The owner of a bucket that is in the list of no account of the world."""

NOBODYS: Final = parse('{"Version": "2012-10-17", "Statement": []}')
"""What a resource without a policy says to other accounts: nothing."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """Whose a resource is ("" where that is not known), and its own policy, if it has one."""

    owner: str
    policy: Document | None


class ResourcePolicies:
    """What the resources behind the door say themselves of who may use them."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._known: dict[tuple[str, ...], tuple[float, Any]] = {}
        self._changes: dict[str, int] = {}

    async def of(self, resource: str, account: str, region: str, accounts: Accounts) -> Guarded:
        """The owner and the policy of a resource, for a caller of `account`; `accounts` tells all that there are.

        Raises:
            AwsError: the policy cannot be read.
            LateError: the upstream does not answer in time.
            BrokenError: the upstream does not answer.
        """
        arn = parse_arn(resource)
        read = _READERS.get(arn.service) if arn is not None else None
        upstream = self._upstreams.of(arn.service) if arn is not None else None
        if arn is None or read is None or upstream is None or not arn.resource.strip("*"):
            return Guarded(arn.account if arn is not None else "", None)
        owner = arn.account or account
        place = Place(upstream, upstream.account or owner, arn.region or region, accounts)
        return await read(self, place, arn.resource, owner)

    def at_hand(self, resource: str, account: str) -> Guarded | None:
        """Likewise what is remembered of a bucket, or of what is in one; None where it has to be asked for."""
        upstream = self._upstreams.of("s3")
        if upstream is None or not resource.startswith(_BUCKETS):
            return None
        name = resource[len(_BUCKETS) :].partition("/")[0]
        known = self._known.get(("s3", "bucket", name, upstream.account or account))
        return known[1] if known is not None and known[0] > clock.monotonic() else None

    def place(self, service: str, account: str, region: str) -> Place | None:
        """Where to ask about a resource of an account; None where nobody serves its service."""
        upstream = self._upstreams.of(service)
        return Place(upstream, upstream.account or account, region) if upstream is not None else None

    async def table(self, account: str, region: str, name: str) -> Mapping[str, Any]:
        """What the upstream tells of a table of DynamoDB, as its account; empty where there is none."""
        place = self.place("dynamodb", account, region)
        if place is None:
            return {}

        async def read() -> Mapping[str, Any]:
            content = await asking.ask_json(place, "dynamodb", "DescribeTable", {"TableName": name})
            described = content.get("Table") if isinstance(content, dict) else None
            return described if isinstance(described, dict) else {}

        table: Mapping[str, Any] = await self.recall(("dynamodb", place.account, region, name), read)
        return table

    async def key_of_alias(self, account: str, region: str, alias: str) -> str:
        """The id of the key that an alias stands for, as its account is told; empty where there is none."""
        place = self.place("kms", account, region)
        if place is None:
            return ""

        async def read() -> Mapping[str, str]:
            """Of all aliases: moto does not describe a key whose policy denies anybody that."""
            keys: dict[str, str] = {}
            marker: dict[str, str] = {}
            for _ in range(_PAGES):
                listed = await asking.ask_json(place, "kms", "ListAliases", marker)
                entries = listed.get("Aliases") if isinstance(listed, dict) else None
                for entry in entries if isinstance(entries, list) else ():
                    keys[asking.text(entry, "AliasName")] = asking.text(entry, "TargetKeyId")
                if not (following := asking.text(listed, "NextMarker")):
                    break
                marker = {"Marker": following}
            return keys

        aliases: Mapping[str, str] = await self.recall(("kms", place.account, region, "aliases"), read)
        return aliases.get(alias, "")

    def drop(self, service: str, operation: str) -> None:
        """Forget what a call may change, before it is made and when it has been."""
        if operation in _CHANGING.get(service, ()):
            self._changes[service] = self._changes.get(service, 0) + 1
            self.forget(service)

    def forget(self, *path: str) -> None:
        """Forget what is remembered under keys that begin so."""
        for key in [key for key in self._known if key[: len(path)] == path]:
            del self._known[key]

    async def recall(self, key: tuple[str, ...], read: Callable[[], Awaitable[Any]]) -> Any:
        """What is remembered under a key, whose first part is the service; or else what is read now."""
        now = clock.monotonic()
        known = self._known.get(key)
        if known is not None and known[0] > now:
            return known[1]
        changes = self._changes.get(key[0], 0)
        value = await read()
        if changes == self._changes.get(key[0], 0):  # else it may be older than what was changed meanwhile
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = now + _LASTING, value
        return value


Reader = Callable[[ResourcePolicies, Place, str, str], Awaitable[Guarded]]
Usual = Callable[[str], str]


async def _bucket(known: ResourcePolicies, place: Place, resource: str, _: str) -> Guarded:
    name = resource.partition("/")[0]

    async def read() -> Guarded:
        owner = await _owner(known, place, name)
        asked = Place(place.upstream, owner or place.account, place.region)
        answer = await asking.ask(asked, "s3", "GET", f"/{quote(name)}", query="policy=")
        policy = _document(answer.body.decode("utf-8", "replace")) if answer.status == OK else None
        return Guarded(owner, policy)

    guarded: Guarded = await known.recall(("s3", "bucket", name, place.account), read)
    return guarded


async def _owner(known: ResourcePolicies, place: Place, name: str) -> str:
    """Whose a bucket is: the caller's, where it stands in the caller's list; else that account's whose list has it.

    What is there and in nobody's list is a stranger's. What is not there is the caller's own to make, and so is
    everything where an upstream knows one account only: nobody can tell.
    """
    if place.upstream.account:
        return ""
    owner = await _listed_owner(known, place, name)
    if owner or (await asking.ask(place, "s3", "HEAD", f"/{quote(name)}")).status == MISSING:
        return owner
    known.forget("s3", "buckets")  # it may have been made past the door a moment ago
    return await _listed_owner(known, place, name) or STRANGER


async def _listed_owner(known: ResourcePolicies, place: Place, name: str) -> str:
    if await _lists(known, place, place.account, name):
        return place.account
    for account in await place.accounts():
        if account != place.account and await _lists(known, place, account, name):
            return account
    return ""


async def _lists(known: ResourcePolicies, place: Place, account: str, name: str) -> bool:
    """Whether a bucket stands in an account's list."""

    async def read() -> frozenset[str]:
        asked = Place(place.upstream, account, place.region)
        root = asking.xml(await asking.ask(asked, "s3", "GET", "/"))
        buckets = root.iter("{*}Bucket") if root is not None else ()
        return frozenset(name for bucket in buckets if (name := bucket.findtext("{*}Name")))

    return name in await known.recall(("s3", "buckets", account), read)


async def _topic(known: ResourcePolicies, place: Place, resource: str, owner: str) -> Guarded:
    name = resource.partition(":")[0]  # a subscription's ARN goes on
    arn = f"arn:aws:sns:{place.region}:{owner}:{name}"

    async def read() -> Document | None:
        root = await asking.ask_form(place, "sns", "GetTopicAttributes", {"TopicArn": arn})
        entries = root.iter("{*}entry") if root is not None else ()
        values = (entry.findtext("{*}value") for entry in entries if entry.findtext("{*}key") == "Policy")
        return _document(next(values, "") or "")

    return Guarded(owner, await known.recall(("sns", place.account, place.region, name), read))


def _default_key_policy(owner: str) -> str:
    """Without its policy nobody may use a key; what is not there yet, or not told, has the one that AWS gives it.

    Source: KMS Developer Guide, "Default key policy".
    """
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{owner}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def _function(known: ResourcePolicies, place: Place, resource: str, owner: str) -> Guarded:
    kind, _, named = resource.partition("/durable-execution/")[0].partition(":")
    name, _, qualifier = named.partition(":")
    if kind != "function":
        return Guarded(owner, None)

    async def read() -> Document | None:
        path = f"/2015-03-31/functions/{quote(name, safe='')}/policy"
        query = f"Qualifier={quote(qualifier, safe='')}" if qualifier else ""
        answer = await asking.ask(place, "lambda", "GET", path, query=query)
        return _document(_with_named_principals(asking.text(asking.content(answer), "Policy")))

    return Guarded(owner, await known.recall(("lambda", place.account, place.region, named), read))


def _told(prefix: str, operation: str, naming: Naming, *path: str, usual: Usual = lambda _owner: "") -> Reader:
    """A reader of policies that a service tells in JSON, as the text at a path of its answer.

    `usual` is what counts where none is told, by the owner's id.
    """

    async def reader(known: ResourcePolicies, place: Place, resource: str, owner: str) -> Guarded:
        asked = naming(place, f"arn:aws:{prefix}:{place.region}:{owner}:{resource}", resource)

        async def read() -> Document | None:
            told = asking.text(await asking.ask_json(place, prefix, operation, asked), *path)
            return _document(told) or _document(usual(owner))

        if not asked or "*" in resource:
            return Guarded(owner, None)
        named = (prefix, place.account, place.region, *map(str, asked.values()))
        return Guarded(owner, await known.recall(named, read))

    return reader


def _key(_place: Place, _arn: str, resource: str) -> Mapping[str, str]:
    kind, _, name = resource.partition("/")
    return {"KeyId": name, "PolicyName": "default"} if kind == "key" else {}


def _queue(place: Place, arn: str, name: str) -> Mapping[str, object]:
    return {**asking.queue(place, arn, name), "AttributeNames": ["Policy"]}


def _table(_place: Place, arn: str, resource: str) -> Mapping[str, str]:
    """A table's policy is that of its indexes, too."""
    kind, _, name = resource.partition("/index/")[0].partition("/")
    return {"ResourceArn": arn.partition("/index/")[0]} if kind == "table" and "/" not in name else {}


def _stream(_place: Place, arn: str, resource: str) -> Mapping[str, str]:
    return {"ResourceARN": arn} if resource.startswith("stream/") else {}


def _repository(_place: Place, _arn: str, resource: str) -> Mapping[str, str]:
    kind, _, name = resource.partition("/")
    return {"repositoryName": name} if kind == "repository" else {}


def _bus(_place: Place, _arn: str, resource: str) -> Mapping[str, str]:
    """A bus has one; a rule's ARN names its bus, whose policy is for rules as well."""
    kind, _, name = resource.partition("/")
    bus, slash, _ = name.rpartition("/")
    return {"event-bus": {"Name": name}, "rule": {"Name": bus if slash else "default"}}.get(kind, {})


def _with_named_principals(text: str) -> str:
    """Lambda writes what kind of principal it is; moto keeps it as AddPermission was given it."""
    try:
        policy = json.loads(text) if text else {}
    except ValueError:
        raise asking.unreadable("what the upstream holds for its policy is none") from None
    for statement in policy.get("Statement", ()) if isinstance(policy, dict) else ():
        if (
            isinstance(statement, dict)
            and isinstance(principal := statement.get("Principal"), str)
            and principal != "*"
        ):
            statement["Principal"] = {"AWS": principal}
    return json.dumps(policy) if policy else ""


_READERS: Final[Mapping[str, Reader]] = {
    "s3": _bucket,
    "sqs": _told("sqs", "GetQueueAttributes", _queue, "Attributes", "Policy"),
    "sns": _topic,
    "kms": _told("kms", "GetKeyPolicy", _key, "Policy", usual=_default_key_policy),
    "secretsmanager": _told("secretsmanager", "GetResourcePolicy", asking.secret, "ResourcePolicy"),
    "lambda": _function,
    "dynamodb": _told("dynamodb", "GetResourcePolicy", _table, "Policy"),
    "kinesis": _told("kinesis", "GetResourcePolicy", _stream, "Policy"),
    "ecr": _told("ecr", "GetRepositoryPolicy", _repository, "policyText"),
    "events": _told("events", "DescribeEventBus", _bus, "Policy"),
}


def _document(text: str) -> Document | None:
    if not text or text == "{}":  # moto's of a stream that has none
        return None
    try:
        return parse(text)
    except MalformedPolicy:
        raise asking.unreadable("what the upstream holds for its policy is none") from None

"""DeleteObjects: key by key, so that some are deleted and the others' answers say that they may not be."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Mapping
from dataclasses import field
from functools import partial
from typing import Any, Final
from xml.sax.saxutils import escape

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.resource_policies import ResourcePolicies
from sts_emulator.gateway.verdicts import SLICE, decide, refusal
from sts_emulator.policy.light_dataclass import dataclass

OPERATION: Final = "DeleteObjects"
_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_DIGESTS: Final = ("content-md5", "x-amz-checksum-")


@dataclass(slots=True)
class Refused:
    """Objects that are not deleted, each with what is said of it."""

    errors: list[tuple[Mapping[str, Any], AwsError]] = field(default_factory=list)

    @property
    def elements(self) -> str:
        """As the answer has them."""
        return "".join(
            f"<Error><Key>{escape(named['Key'])}</Key>{_version(named)}<Code>AccessDenied</Code>"
            f"<Message>{escape(error.message)}</Message></Error>"
            for named, error in self.errors
        )


async def sort_out(passage: Passage, known: ResourcePolicies, needs: tuple[Need, ...]) -> tuple[list[Any], Refused]:
    """The objects that may be deleted, and the others."""
    wanted = passage.parameters.get("Delete", {}).get("Objects", [])
    denied: dict[str, AwsError] = {}
    for number, need in enumerate(needs, 1):
        decision, guarded = await decide(passage, known, need)
        if decision.verdict != "allow" and need.resource not in denied:
            denied[need.resource] = await passage.read(partial(refusal, passage, need, decision, guarded))
        if not number % SLICE:
            await sleep(0)
    refused, allowed = Refused(), []
    for named in wanted:
        error = denied.get(f"arn:aws:s3:::{passage.parameters['Bucket']}/{named.get('Key', '')}")
        if error is None:
            allowed.append(named)
        else:
            refused.errors.append((named, error))
    return allowed, refused


def body_of(allowed: list[Any], parameters: Mapping[str, Any]) -> bytes:
    """The call for some of its objects."""
    quiet = "<Quiet>true</Quiet>" if str(parameters.get("Delete", {}).get("Quiet", "")).lower() == "true" else ""
    objects = "".join(
        f"<Object>{''.join(f'<{name}>{escape(value)}</{name}>' for name, value in named.items())}</Object>"
        for named in allowed
    )
    return f'<Delete xmlns="{_NAMESPACE}">{objects}{quiet}</Delete>'.encode()


def without_digests(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the call without digests of the body that it had."""
    return {name: value for name, value in headers.items() if not name.startswith(_DIGESTS)}


def nothing_deleted(refused: Refused) -> bytes:
    """The answer where no object may be deleted."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult xmlns="{_NAMESPACE}">'
    return f"{head}{refused.elements}</DeleteResult>".encode()


def with_refused(body: bytes, refused: Refused) -> bytes:
    """The upstream's answer, with those that it was not asked for."""
    text = body.decode("utf-8", "surrogateescape")
    head, end, rest = text.rpartition("</")
    if not end:  # an element without anything in it
        return nothing_deleted(refused)
    return f"{head}{refused.elements}{end}{rest}".encode("utf-8", "surrogateescape")


def _version(named: Mapping[str, Any]) -> str:
    return f"<VersionId>{escape(named['VersionId'])}</VersionId>" if "VersionId" in named else ""

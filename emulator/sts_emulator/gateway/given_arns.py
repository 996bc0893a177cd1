"""ARNs that a call gives are held to the forms that its service has, and to the Region that it asks.

Upstreams cut a name out of an ARN, each in its own place, and look for it where the call came to. Of an ARN that has a
colon or a slash too many they may find another thing than the one that was decided on; of one of another Region they
find what has the same name here. AWS refuses both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import known_actions
from sts_emulator.policy.arns import parse_arn

_WITH_SLASHES: Final = frozenset(
    {
        *("Alias", "SecretId", "RepositoryName", "LogGroupName", "LogStreamName", "ParameterNameWithoutLeadingSlash"),
        *("EventBusName", "EventSourceName", "ResourceId", "TopicName", "DocumentName"),
    }
)
"""Placeholders of names that may have slashes; of topics, because endpoints of applications are published to, too."""

_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)\}")
_WITHOUT_ARNS: Final = frozenset({"s3", "ec2"})  # their calls give names and ids, and keys of S3 may hold anything
_ANY: Final = "*"


def check(service: str, resources: Iterable[str], region: str) -> None:
    """Refuse ARNs that no resource of the service has. `service` is botocore's name of it.

    Raises:
        AwsError: `InvalidRequest`.
    """
    if service not in _WITHOUT_ARNS:
        for resource in resources:
            _check(service, resource, region)


def _check(service: str, resource: str, region: str) -> None:
    arn = parse_arn(resource)
    if arn is None or arn.service != known_actions.PREFIXES.get(service):
        return
    if arn.region not in ("", _ANY, region):
        raise _refused(resource, f"is of another Region than {region}, which was asked")
    if arn.resource != _ANY and not _forms(service).fullmatch(arn.resource):
        raise _refused(resource, "can be read in two ways")


def _refused(resource: str, why: str) -> AwsError:
    return AwsError("InvalidRequest", f"The resource {resource[:200]} {why}.", status=400)


@cache
def _forms(service: str) -> re.Pattern[str]:
    """What stands behind the account in an ARN of the service."""
    known = known_actions.of_service(service)
    forms = [parsed.resource for form in known.arns.values() if (parsed := parse_arn(form)) is not None]
    return re.compile(
        "|".join(_PLACEHOLDER.sub(_name, re.escape(form).replace(r"\$\{", "${").replace(r"\}", "}")) for form in forms)
    )


def _name(placeholder: re.Match[str]) -> str:
    return "[^:]*" if placeholder[1] in _WITH_SLASHES else "[^:/]*"

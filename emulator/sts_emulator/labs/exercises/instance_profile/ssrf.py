"""What the stranger, the web server and the administrator do, and whether the one is out and the other not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sts_emulator.accounts import compute
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen
from sts_emulator.policy.json_types import JsonObject

CREDENTIALS = "meta-data/iam/security-credentials/web"


# -- steps -----------------------------------------------------------------------------------------------------------


def preview(hands: Hands) -> None:
    hands.keep("stolen", _fetched(hands))
    hands.client("sts", _keys(hands)).get_caller_identity()


def customers(hands: Hands) -> None:
    _read(hands, "customers", "addresses.csv")


def repair(hands: Hands) -> None:
    door_only(hands)
    first = {"Condition": {"NumericLessThan": {"ec2:RoleDelivery": "2.0"}}}
    _storage(hands, {"Effect": "Deny", "Action": "*", "Resource": "*", **first})


def again(hands: Hands) -> None:
    _ask(hands, CREDENTIALS)


def stolen(hands: Hands) -> None:
    with hands.tries():
        _read(hands, "pictures", "logo.svg")


def server(hands: Hands) -> None:
    status, token = _ask(hands, "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"})
    if status == 200:  # noqa: PLR2004 - else there is no token, as where the service is off
        hands.keep("stolen", _fetched(hands, {"X-aws-ec2-metadata-token": token}))
        with hands.tries():
            _read(hands, "pictures", "logo.svg")


def _fetched(hands: Hands, headers: dict[str, str] | None = None) -> object:
    return json.loads(_ask(hands, CREDENTIALS, headers=headers)[1])


def _ask(hands: Hands, path: str, **request: Any) -> tuple[int, str]:
    return hands.fetch(f"imds/{_instance(hands)}/latest/{path}", **request)


def _instance(hands: Hands) -> str:
    return str(hands.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"])


def _keys(hands: Hands) -> tuple[str, ...]:
    given = hands.kept("stolen")
    return (given["AccessKeyId"], given["SecretAccessKey"], given["Token"])


def _read(hands: Hands, bucket: str, key: str) -> None:
    s3 = hands.client("s3", _keys(hands))
    s3.get_object(Bucket=f"{bucket}-{hands.values['account']}", Key=key)["Body"].read()


def _options(hands: Hands, **options: object) -> None:
    hands.client("ec2").modify_instance_metadata_options(InstanceId=_instance(hands), **options)


def _storage(hands: Hands, *more: JsonObject) -> None:
    pictures = f"arn:aws:s3:::pictures-{hands.values['account']}/*"
    hands.put_role_policy("web", "storage", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": pictures}, *more)


# -- wrong ways ------------------------------------------------------------------------------------------------------


def endpoint_off(hands: Hands) -> None:
    _options(hands, HttpEndpoint="disabled")


def hop_limit(hands: Hands) -> None:
    _options(hands, HttpPutResponseHopLimit=1)


def door_only(hands: Hands) -> None:
    _options(hands, HttpTokens="required")
    _storage(hands)


# -- checks ----------------------------------------------------------------------------------------------------------


def version_two_only(seen: Seen) -> Iterator[str]:
    options = seen.world.page(compute.INSTANCE)[0]["options"]
    if options["tokens"] != "required":
        yield "A plain GET to the metadata service of web-1 still gets the credentials."


def only_the_pictures(seen: Seen) -> Iterator[str]:
    if _may(seen, "s3:GetObject", "customers", "addresses.csv"):
        yield "The role `web` may still read the addresses of the customers. The web server needs the pictures only."
    if _may(seen, "s3:DeleteObject", "pictures", "logo.svg"):
        yield "The role `web` may still delete pictures. The web server only reads them."


def stolen_is_useless(seen: Seen) -> Iterator[str]:
    if _may(seen, "s3:GetObject", "pictures", "logo.svg", delivery="1.0"):
        yield "The credentials that the stranger got by version 1 still read the pictures."


def server_goes_on(seen: Seen) -> Iterator[str]:
    if seen.world.page(compute.INSTANCE)[0]["options"]["endpoint"] != "enabled":
        yield "The metadata service of web-1 is off: the web server has no credentials."
    if not _may(seen, "s3:GetObject", "pictures", "logo.svg"):
        yield "Credentials of the role may not read the pictures any more: the web server has stopped."
    about = {
        "eventName": "*Object",
        "userIdentity.arn": "*:assumed-role/web/*",
        "requestParameters.bucket": "pictures-*",
    }
    last = seen.last(about)
    if last is None or not last.is_allowed:
        yield "The web server has not read a picture since: do the step `server`."


def _may(seen: Seen, action: str, bucket: str, key: str, delivery: str = "2.0") -> bool:
    resource = f"arn:aws:s3:::{bucket}-{seen.values['account']}/{key}"
    keys = {"ec2:RoleDelivery": delivery}
    return seen.allows(assume="web", may=f"{action} on {resource}", caller="ec2.amazonaws.com", keys=keys)

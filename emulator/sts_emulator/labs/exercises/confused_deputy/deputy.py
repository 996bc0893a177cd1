"""What the service, Mallory and the bakery's administrator do, and whether the service acts for the bakery alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen
from sts_emulator.policy.json_types import JsonObject

ROBOT = "AKIAROBOTOFTHEAUDIT1"
BAKERY, MALLORY = "bakery-4711", "mallory-0666"


# -- steps -----------------------------------------------------------------------------------------------------------


def audit(hands: Hands) -> None:
    arn = f"arn:aws:iam::{hands.values['service']}:role/Collector"
    robot = (ROBOT, f"the-robots-secret-{hands.values['secret']}")
    hands.keep("collector", hands.client("sts", robot).assume_role(RoleArn=arn, RoleSessionName="audit"))
    _become(hands, "for-the-bakery", BAKERY)


def borrow(hands: Hands) -> None:
    _become(hands, "for-mallory", MALLORY)


def repair(hands: Hands) -> None:
    _trust(
        hands, f"arn:aws:iam::{hands.values['service']}:role/Collector", {"StringEquals": {"sts:ExternalId": BAKERY}}
    )


def refused(hands: Hands) -> None:
    _become(hands, "mallory-again", MALLORY)


def long(hands: Hands) -> None:
    with hands.tries():
        hands.client("iam").update_role(RoleName="AuditAccess", MaxSessionDuration=43_200)
    _become(hands, "long", BAKERY, DurationSeconds=7_200)


def _become(hands: Hands, session: str, external_id: str, **options: Any) -> None:
    arn = f"arn:aws:iam::{hands.values['account']}:role/AuditAccess"
    sts = hands.client("sts", hands.session("collector"))
    with hands.tries():
        sts.assume_role(RoleArn=arn, RoleSessionName=session, ExternalId=external_id, **options)


def _trust(hands: Hands, principal: str, condition: JsonObject) -> None:
    allow = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", "Condition": condition}
    hands.trust("AuditAccess", allow)


# -- wrong ways ------------------------------------------------------------------------------------------------------


def any_external_id(hands: Hands) -> None:
    _trust(hands, f"arn:aws:iam::{hands.values['service']}:role/Collector", {"Null": {"sts:ExternalId": "false"}})


def if_exists(hands: Hands) -> None:
    condition = {"StringEqualsIfExists": {"sts:ExternalId": BAKERY}}
    _trust(hands, f"arn:aws:iam::{hands.values['service']}:role/Collector", condition)


def whole_account(hands: Hands) -> None:
    _trust(hands, f"arn:aws:iam::{hands.values['service']}:root", {"StringEquals": {"sts:ExternalId": BAKERY}})


def delete_the_role(hands: Hands) -> None:
    iam = hands.client("iam")
    iam.delete_role_policy(RoleName="AuditAccess", PolicyName="look")
    iam.delete_role(RoleName="AuditAccess")


# -- checks ----------------------------------------------------------------------------------------------------------


def mallory_had_it(seen: Seen) -> Iterator[str]:
    if not seen.came({"eventName": "AssumeRole", "requestParameters.externalId": MALLORY}):
        yield "You have not been Mallory yet: do the step `borrow` before you repair anything."


def service_goes_on(seen: Seen) -> Iterator[str]:
    if not _collector_may(seen, BAKERY):
        yield "The service cannot become AuditAccess for the bakery any more: nobody audits you now."


def not_for_others(seen: Seen) -> Iterator[str]:
    if _collector_may(seen, MALLORY) or _collector_may(seen, f"{BAKERY}0"):
        yield "When the service acts for another client, with another external id, your role still lets it in."


def not_for_nobody(seen: Seen) -> Iterator[str]:
    if _collector_may(seen, ""):
        yield "Without any external id your role still lets the service in."


def nobody_else(seen: Seen) -> Iterator[str]:
    if _may(seen, {"user": "trainee"}, BAKERY):
        yield "A trainee of the service who knows your external id can still become AuditAccess."


def _collector_may(seen: Seen, external_id: str) -> bool:
    return _may(seen, {"role": "Collector", "session": "audit"}, external_id)


def _may(seen: Seen, caller: dict[str, str], external_id: str) -> bool:
    role = f"arn:aws:iam::{seen.values['account']}:role/AuditAccess"
    signer = {**caller, "account": seen.values["service"]}
    return seen.allows(assume=role, caller=signer, external_id=external_id)

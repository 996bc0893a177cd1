"""What Heidi, the thief, Igor and the administrator do, and whether the old session is over and Heidi can go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.core import clock
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen
from sts_emulator.policy.json_types import Json

KEYS = {"heidi": "AKIAHEIDIONCALL00001", "igor": "AKIAIGORTHEINTERN001"}
HALF_A_DAY, AN_HOUR = 43_200, 3_600


# -- steps -----------------------------------------------------------------------------------------------------------


def night(hands: Hands) -> None:
    hands.keep("old", _assume(hands, "heidi", DurationSeconds=HALF_A_DAY))
    hands.client("sts", hands.session("old")).get_caller_identity()


def morning(hands: Hands) -> None:
    hands.advance(5 * AN_HOUR)
    still(hands)


def intern(hands: Hands) -> None:
    _assume(hands, "igor")


def repair(hands: Hands) -> None:
    _trust_heidi(hands, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})


def still(hands: Hands) -> None:
    hands.client("iam", hands.session("old")).list_users()


def revoke(hands: Hands) -> None:
    hands.advance(60)
    hands.put_role_policy("emergency", "revoke-older-sessions", hands.old_sessions_denied())


def last(hands: Hands) -> None:
    with hands.tries():
        still(hands)


def next_night(hands: Hands) -> None:
    serial = f"arn:aws:iam::{hands.values['account']}:mfa/heidi"
    code = hands.control("GET", "mfa-code", serial=serial)["code"]
    _assume(hands, "heidi", SerialNumber=serial, TokenCode=code)


def _assume(hands: Hands, name: str, **more: Any) -> object:
    keys = (KEYS[name], f"{name}s-secret-key-{hands.values['secret']}")
    role = f"arn:aws:iam::{hands.values['account']}:role/emergency"
    return hands.client("sts", keys).assume_role(RoleArn=role, RoleSessionName=name, **more)


def _trust_heidi(hands: Hands, **more: Json) -> None:
    heidi = {"AWS": f"arn:aws:iam::{hands.values['account']}:user/heidi"}
    hands.trust("emergency", {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": heidi, **more})
    hands.client("iam").update_role(RoleName="emergency", MaxSessionDuration=AN_HOUR)


# -- wrong ways ------------------------------------------------------------------------------------------------------


def trust_alone(_: Hands) -> None:
    """The trust policy is repaired, so it is over."""


def deny_all(hands: Hands) -> None:
    hands.put_role_policy("emergency", "revoke-older-sessions", {"Effect": "Deny", "Action": "*", "Resource": "*"})


def no_mfa(hands: Hands) -> None:
    _trust_heidi(hands)


# -- checks ----------------------------------------------------------------------------------------------------------


def igor_is_out(seen: Seen) -> Iterator[str]:
    if _gets_it(seen, "igor") or _gets_it(seen, "igor", mfa="true"):
        yield "Igor still gets the role `emergency`."


def heidi_needs_mfa(seen: Seen) -> Iterator[str]:
    if not _gets_it(seen, "heidi", mfa="true"):
        yield "Heidi does not get the role even with MFA: nobody is there at night."
    if _gets_it(seen, "heidi"):
        yield "Heidi gets the role without MFA: whoever finds her access key gets it as well."


def an_hour_at_most(seen: Seen) -> Iterator[str]:
    role = seen.world.get(documents.ROLE, f"{seen.values['account']}/emergency")
    if role is None:
        yield "The role `emergency` is gone: nobody can repair anything at night."
    elif (longest := role["max_duration"]) > AN_HOUR:
        yield f"A session of the role may still last {longest // AN_HOUR} hours."


def old_session_is_over(seen: Seen) -> Iterator[str]:
    made = next(seen.find({"eventName": "AssumeRole", "userIdentity.arn": "*:user/heidi", "errorCode": ""}), None)
    if made is None:
        yield "Heidi has not assumed the role yet: do the step `night` first."
    elif _may_list(seen, issued := clock.iso(made.at)):
        yield f"The session that was made at {issued} is still good: the thief can use it."


def heidi_goes_on(seen: Seen) -> Iterator[str]:
    if not _may_list(seen):
        yield "A new session of the role may do nothing: Heidi cannot repair anything."
    made = list(seen.find({"eventName": "AssumeRole", "userIdentity.arn": "*:user/heidi", "errorCode": ""}))
    if not any(attempt.value("requestParameters.serialNumber") for attempt in made):
        yield "Heidi has not come back with her phone: do the step `next-night`."


def _gets_it(seen: Seen, user: str, **more: str) -> bool:
    return seen.allows(assume="emergency", caller={"user": user, **more})


def _may_list(seen: Seen, issued: str = "") -> bool:
    keys = {"aws:TokenIssueTime": issued} if issued else {}
    return seen.allows(may="iam:ListUsers on *", caller={"role": "emergency", "session": "heidi"}, keys=keys)

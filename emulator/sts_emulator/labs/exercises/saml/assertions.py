"""What Omar, the lunch service and the administrator do, and whether only assertions that are meant for AWS get in."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping

from sts_emulator.accounts import documents
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen

LUNCH = "https://lunch.example/saml"
AWS = "https://signin.aws.amazon.com/saml"


# -- steps -----------------------------------------------------------------------------------------------------------


def enter(hands: Hands) -> None:
    _present(hands, "Viewer", _assertion(hands, "omar"))


def wrap(hands: Hands) -> None:
    message = base64.b64decode(_assertion(hands, "omar")).decode()
    (signed,) = re.findall("<saml:Assertion.*</saml:Assertion>", message, re.DOTALL)
    forged = re.sub("<ds:Signature.*</ds:Signature>", "", signed, flags=re.DOTALL)
    forged = forged.replace("omar", "jane").replace("role/Viewer", "role/Payments").replace(' ID="', ' ID="_')
    with hands.tries():
        _present(hands, "Payments", base64.b64encode(message.replace(signed, forged + signed).encode()).decode())


def other_door(hands: Hands) -> None:
    with hands.tries():
        _present(hands, "Payments", _assertion(hands, "jane", recipient=LUNCH))


def repair(hands: Hands) -> None:
    _trust(hands, {"StringEquals": {"SAML:aud": AWS}})


def again(hands: Hands) -> None:
    other_door(hands)


def _assertion(hands: Hands, user: str, **wish: object) -> str:
    return str(hands.page("POST", "idp/portal/assertions", body={"user": user, **wish})["SAMLResponse"])


def _present(hands: Hands, role: str, assertion: str) -> None:
    account = f"arn:aws:iam::{hands.values['account']}"
    hands.client("sts", ()).assume_role_with_saml(
        RoleArn=f"{account}:role/{role}", PrincipalArn=f"{account}:saml-provider/portal", SAMLAssertion=assertion
    )


def _trust(hands: Hands, condition: Mapping[str, object]) -> None:
    provider = f"arn:aws:iam::{hands.values['account']}:saml-provider/portal"
    allow = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithSAML"}
    hands.trust("Payments", {**allow, "Condition": condition})


# -- wrong ways ------------------------------------------------------------------------------------------------------


def only_jane(hands: Hands) -> None:
    _trust(hands, {"StringEquals": {"SAML:sub": "jane"}})


def anybody_of_https(hands: Hands) -> None:
    _trust(hands, {"StringLike": {"SAML:aud": "https://*/saml"}})


def no_portal(hands: Hands) -> None:
    arn = f"arn:aws:iam::{hands.values['account']}:saml-provider/portal"
    hands.client("iam").delete_saml_provider(SAMLProviderArn=arn)


# -- checks ----------------------------------------------------------------------------------------------------------


def wrapped_was_refused(seen: Seen) -> Iterator[str]:
    refused = seen.find({"eventName": "AssumeRoleWithSAML", "additionalEventData.evidence.refused": "*one assertion*"})
    if not any(refused):
        yield "No message with two assertions was shown to AWS yet: do the step `wrap`."


def jane_gets_in(seen: Seen) -> Iterator[str]:
    return _from_the_portal(seen, "jane", "Payments")


def omar_gets_in(seen: Seen) -> Iterator[str]:
    return _from_the_portal(seen, "omar", "Viewer")


def only_for_aws(seen: Seen) -> Iterator[str]:
    for role in ("Payments", "Viewer"):
        if _may(seen, "jane", role, LUNCH):
            yield f"An assertion that is meant for the lunch service still becomes {role}."


def _from_the_portal(seen: Seen, user: str, role: str) -> Iterator[str]:
    if not any(provider["name"] == "portal" for provider in seen.world.page(documents.SAML_PROVIDER)):
        yield "The account does not know the portal any more: nobody gets in."
    if not _may(seen, user, role, AWS):
        yield f"{user.capitalize()} does not become {role} from the portal any more."


def _may(seen: Seen, user: str, role: str, recipient: str) -> bool:
    arn = f"arn:aws:iam::{seen.values['account']}:role/{role}"
    return seen.allows(assume=arn, with_={"saml": {"user": user, "recipient": recipient}})

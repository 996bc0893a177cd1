"""What a guest, Ana and the administrator do, and whether guests see the welcome page and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen

USERS = "cognito-idp.us-east-1.amazonaws.com/us-east-1_PhotoApp1"
SOMEBODY = "us-east-1:11111111-2222-4333-8444-555555555555"


# -- steps -----------------------------------------------------------------------------------------------------------


def guest(hands: Hands) -> None:
    cognito = hands.client("cognito-identity", ())
    identity = hands.keep("guest", cognito.get_id(IdentityPoolId=_pool(hands))["IdentityId"])
    hands.keep("enhanced", cognito.get_credentials_for_identity(IdentityId=identity))
    _read(hands, "public/welcome.txt")


def snoop(hands: Hands) -> None:
    _read(hands, f"users/{SOMEBODY}/beach.txt")


def staff(hands: Hands) -> None:
    with hands.tries():
        hands.client("iam", hands.session("enhanced")).list_users()


def classic(hands: Hands) -> None:
    token = hands.client("cognito-identity", ()).get_open_id_token(IdentityId=hands.kept("guest"))["Token"]
    sts = hands.client("sts", ())
    vended = sts.assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{hands.values['account']}:role/AppGuest", RoleSessionName="basic", WebIdentityToken=token
    )
    hands.keep("basic", vended)
    hands.client("iam", hands.session("basic")).list_users()


def repair(hands: Hands) -> None:
    _narrow(hands)
    _update(hands)


def again(hands: Hands) -> None:
    with hands.tries():
        snoop(hands)


def ana(hands: Hands) -> None:
    with hands.tries():
        _ana(hands)


def _ana(hands: Hands) -> None:
    signed_in = hands.client("cognito-idp", ()).initiate_auth(
        ClientId=_client(hands),
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ana", "PASSWORD": f"Correct-horse-1-{hands.values['secret']}"},
    )
    logins = {USERS: signed_in["AuthenticationResult"]["IdToken"]}
    cognito = hands.client("cognito-identity", ())
    identity = cognito.get_id(IdentityPoolId=_pool(hands), Logins=logins)["IdentityId"]
    hands.keep("ana", cognito.get_credentials_for_identity(IdentityId=identity, Logins=logins))
    s3 = hands.client("s3", hands.session("ana"))
    s3.put_object(Bucket=_bucket(hands), Key=f"users/{identity}/cat.txt", Body=b"a photo of a cat\n")


def _pool(whose: Hands | Seen) -> str:
    return f"us-east-1:9b0a7c6d-5e4f-4a3b-8c2d-{whose.values['account']}"


def _client(hands: Hands) -> str:
    return f"1photoapp{hands.values['account']}"


def _bucket(hands: Hands) -> str:
    return f"photos-{hands.values['account']}"


def _read(hands: Hands, key: str) -> None:
    hands.client("s3", hands.session("enhanced")).get_object(Bucket=_bucket(hands), Key=key)["Body"].read()


def _narrow(hands: Hands) -> None:
    public = f"arn:aws:s3:::{_bucket(hands)}/public/*"
    hands.put_role_policy("AppGuest", "guest", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": public})


def _update(hands: Hands, *, guests: bool = True, users: bool = True) -> None:
    providers: dict[str, Any] = {"CognitoIdentityProviders": [{"ProviderName": USERS, "ClientId": _client(hands)}]}
    hands.client("cognito-identity").update_identity_pool(
        IdentityPoolId=_pool(hands),
        IdentityPoolName="photos",
        AllowUnauthenticatedIdentities=guests,
        AllowClassicFlow=False,
        **(providers if users else {}),
    )


# -- wrong ways ------------------------------------------------------------------------------------------------------


def no_guests(hands: Hands) -> None:
    _update(hands, guests=False)


def only_the_flow(hands: Hands) -> None:
    _update(hands)


def forgotten_users(hands: Hands) -> None:
    _narrow(hands)
    _update(hands, users=False)


# -- checks ----------------------------------------------------------------------------------------------------------


def other_door_was_seen(seen: Seen) -> Iterator[str]:
    if not seen.came({"eventName": "AssumeRoleWithWebIdentity", "requestParameters.roleArn": "*:role/AppGuest"}):
        yield "No guest has come by the classic flow yet: do the step `classic` before you repair anything."


def welcome(seen: Seen) -> Iterator[str]:
    if not _guest_may(seen, "s3:GetObject", "public/welcome.txt"):
        yield "A guest does not see the welcome page any more."


def no_photos(seen: Seen) -> Iterator[str]:
    if _guest_may(seen, "s3:GetObject", f"users/{SOMEBODY}/beach.txt"):
        yield "A guest can still read the photos of a user."


def nothing_else(seen: Seen) -> Iterator[str]:
    for action, key in (("s3:PutObject", "public/welcome.txt"), ("s3:DeleteObject", "public/welcome.txt")):
        if _guest_may(seen, action, key):
            yield f"A guest may still do {action} with the welcome page. Reading it is all that guests need."
    if seen.allows(may="iam:ListUsers on *", caller={"role": "AppGuest"}):
        yield "The role of the guests still allows more than reading: iam:ListUsers, for example."


def classic_flow_is_off(seen: Seen) -> Iterator[str]:
    pool = next((pool for pool in seen.world.page(documents.IDENTITY_POOL) if pool["id"] == _pool(seen)), None)
    if pool is None:
        yield "The identity pool is gone, and with it the app."
    trial = seen.trial(assume=_role(seen, "AppGuest"), with_={"cognito": {"guest": "true", "flow": "basic"}})
    if trial.error is None or trial.error.code != "InvalidParameterException":
        yield "The pool still gives out tokens for the classic flow."


def ana_uploads(seen: Seen) -> Iterator[str]:
    if not _ana_may(seen, "users/us-east-1:00000000-0000-4000-8000-000000000000/cat.txt"):
        yield "Ana cannot sign in and put a photo into her folder any more."
    if _ana_may(seen, f"users/{SOMEBODY}/beach.txt"):
        yield "Ana can write into somebody else's folder."


def _guest_may(seen: Seen, action: str, key: str) -> bool:
    return _may(seen, "AppGuest", action, key, guest="true")


def _ana_may(seen: Seen, key: str) -> bool:
    return _may(seen, "AppUser", "s3:PutObject", key, user="ana")


def _may(seen: Seen, role: str, action: str, key: str, **who: str) -> bool:
    resource = f"arn:aws:s3:::photos-{seen.values['account']}/{key}"
    return seen.allows(assume=_role(seen, role), may=f"{action} on {resource}", with_={"cognito": who})


def _role(seen: Seen, name: str) -> str:
    return f"arn:aws:iam::{seen.values['account']}:role/{name}"

"""What the shop's repository, its fork and the administrator do, and whether the one can deploy and the other not."""

from __future__ import annotations

from collections.abc import Iterator

from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen
from sts_emulator.policy.json_types import JsonObject

ISSUER = "token.actions.githubusercontent.com"
MAIN = "repo:acme/shop:ref:refs/heads/main"


# -- steps -----------------------------------------------------------------------------------------------------------


def deploy(hands: Hands) -> None:
    _deploy(hands, "acme/shop", "<h1>Autumn sale</h1>")


def fork(hands: Hands) -> None:
    _deploy(hands, "mallory/shop", "<h1>Send your money to mallory</h1>")


def read(hands: Hands) -> None:
    hands.client("iam").get_role(RoleName="deploy")


def repair(hands: Hands) -> None:
    _trust(hands, {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": MAIN}})


def again(hands: Hands) -> None:
    with hands.tries():
        fork(hands)


def online(hands: Hands) -> None:
    with hands.tries():
        deploy(hands)


def _deploy(hands: Hands, repository: str, page: str) -> None:
    claims = {"repo": repository, "ref": "refs/heads/main"}
    token = hands.page("POST", "issuers/github/token", body=claims)["token"]
    account = hands.values["account"]
    given = hands.client("sts", ()).assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{account}:role/deploy", RoleSessionName="job", WebIdentityToken=token
    )
    hands.keep("job", given)
    s3 = hands.client("s3", hands.session("job"))
    s3.put_object(Bucket=f"site-{account}", Key="index.html", Body=page.encode())


def _trust(hands: Hands, condition: JsonObject) -> None:
    provider = f"arn:aws:iam::{hands.values['account']}:oidc-provider/{ISSUER}"
    hands.trust(
        "deploy",
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": provider},
            "Condition": condition,
        },
    )


# -- wrong ways ------------------------------------------------------------------------------------------------------


def any_of_acme(hands: Hands) -> None:
    _like(hands, "repo:acme/*")


def any_branch(hands: Hands) -> None:
    _like(hands, "repo:acme/shop:*")


def star_in_equals(hands: Hands) -> None:
    _trust(hands, {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": "repo:acme/shop:ref:*"}})


def _like(hands: Hands, pattern: str) -> None:
    audience = {f"{ISSUER}:aud": "sts.amazonaws.com"}
    _trust(hands, {"StringEquals": audience, "StringLike": {f"{ISSUER}:sub": pattern}})


# -- checks ----------------------------------------------------------------------------------------------------------


def forks_are_out(seen: Seen) -> Iterator[str]:
    if _may(seen, "repo:mallory/shop:ref:refs/heads/main"):
        yield "A job of the fork mallory/shop still gets the role."


def other_branches_are_out(seen: Seen) -> Iterator[str]:
    if _may(seen, "repo:acme/shop:ref:refs/heads/feature"):
        yield "A job on the branch `feature` of acme/shop gets the role: whoever may push a branch can deploy."
    if _may(seen, "repo:acme/shop:pull_request"):
        yield "A job of a pull request gets the role: whoever may open one can deploy."


def others_of_acme_are_out(seen: Seen) -> Iterator[str]:
    for repository in ("acme/blog", "acme/shop-tools", "acme-evil/shop"):
        if _may(seen, f"repo:{repository}:ref:refs/heads/main"):
            yield f"A job of {repository} gets the role."


def main_deploys(seen: Seen) -> Iterator[str]:
    if not _may(seen, MAIN):
        yield "The branch main of acme/shop does not get the role any more: your own deployments have stopped."


def page_is_back(seen: Seen) -> Iterator[str]:
    bucket = f"site-{seen.values['account']}"
    written = seen.last({"eventName": "PutObject", "requestParameters.bucket": bucket, "errorCode": ""})
    if written is None:
        yield "Nobody has deployed yet."
        return
    assumed = {
        "eventName": "AssumeRoleWithWebIdentity",
        "responseElements.credentials.accessKeyId": written.value("userIdentity.accessKeyId"),
    }
    session = seen.last(assumed)
    if session is None or session.value("userIdentity.userName") != MAIN:
        yield "The page that is online now was not put there by main of acme/shop: deploy from there once more."


def _may(seen: Seen, subject: str) -> bool:
    claims = {"iss": f"https://{ISSUER}", "aud": "sts.amazonaws.com", "sub": subject}
    return seen.allows(assume="deploy", with_={"claims": claims})

"""What the four programs and the administrator do, and whether each program comes by the door that fits it."""

from __future__ import annotations

from collections.abc import Iterator

from sts_emulator.accounts import documents
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen

CLOCK, FAX = "AKIACLOCKOFBOOKKEEPE", "AKIAKEYOFTHEFAX00001"
NEEDLESS = {"site": "AKIAKEYOFTHESITE0001", "pipeline": "AKIAKEYOFTHEPIPELINE", "reports": "AKIAKEYOFTHEREPORTS1"}
GITHUB = "token.actions.githubusercontent.com"
MAIN = "repo:shop/site:ref:refs/heads/main"


# -- steps -----------------------------------------------------------------------------------------------------------


def site(hands: Hands) -> None:
    hands.client("sts", hands.task("Site")).get_caller_identity()


def pipeline(hands: Hands) -> None:
    _deploy(hands, "main", "shop/site", "refs/heads/main")


def branch(hands: Hands) -> None:
    _deploy(hands, "trainee", "shop/site", "refs/heads/trainee")


def reports(hands: Hands) -> None:
    nightly = f"arn:aws:iam::{hands.values['bookkeeper']}:role/Nightly"
    hands.keep(
        "nightly",
        hands.client("sts", _keys(hands, "clock", CLOCK)).assume_role(RoleArn=nightly, RoleSessionName="nightly"),
    )
    arn = f"arn:aws:iam::{hands.values['account']}:role/Reports"
    hands.client("sts", hands.session("nightly")).assume_role(RoleArn=arn, RoleSessionName="reports")


def fax(hands: Hands) -> None:
    hands.client("sts", _keys(hands, "fax", FAX)).get_caller_identity()


def tidy(hands: Hands) -> None:
    for user, key in NEEDLESS.items():
        _switch_off(hands, user, key)
    _trust(hands, {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": MAIN}})


def defend(hands: Hands) -> None:
    _deploy(hands, "trainee-again", "shop/site", "refs/heads/trainee")
    _deploy(hands, "fork", "mallory/site", "refs/heads/main")


def _keys(hands: Hands, holder: str, identifier: str) -> tuple[str, ...]:
    return (identifier, f"the-key-of-the-{holder}-{hands.values['secret']}")


def _deploy(hands: Hands, session: str, repo: str, ref: str) -> None:
    token = hands.page("POST", "issuers/github/token", body={"repo": repo, "ref": ref})["token"]
    with hands.tries():
        hands.client("sts", ()).assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{hands.values['account']}:role/Deploy",
            RoleSessionName=session,
            WebIdentityToken=token,
        )


def _switch_off(hands: Hands, user: str, key: str) -> None:
    hands.client("iam").update_access_key(UserName=user, AccessKeyId=key, Status="Inactive")


def _trust(hands: Hands, condition: dict[str, dict[str, str]]) -> None:
    provider = f"arn:aws:iam::{hands.values['account']}:oidc-provider/{GITHUB}"
    allow = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
    hands.trust("Deploy", {**allow, "Condition": condition})


# -- wrong ways ------------------------------------------------------------------------------------------------------


def a_spare_key(hands: Hands) -> None:
    for user in ("site", "reports"):
        _switch_off(hands, user, NEEDLESS[user])


def no_keys_at_all(hands: Hands) -> None:
    for user, key in {**NEEDLESS, "fax": FAX}.items():
        _switch_off(hands, user, key)


def any_main(hands: Hands) -> None:
    subject = {f"{GITHUB}:sub": "repo:*/site:ref:refs/heads/main"}
    _trust(hands, {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}, "StringLike": subject})


# -- checks ----------------------------------------------------------------------------------------------------------


def site_has_its_door(seen: Seen) -> Iterator[str]:
    if not seen.came({"userIdentity.arn": "*:assumed-role/Site/*"}):
        yield "Nobody has been the site yet, as a container with the role Site: do the step `site`."


def pipeline_has_its_door(seen: Seen) -> Iterator[str]:
    if not seen.came({"eventName": "AssumeRoleWithWebIdentity", "requestParameters.roleArn": "*:role/Deploy"}):
        yield "The pipeline has not come with a token yet: do the step `pipeline`."
    if not _may_deploy(seen, "shop/site", "refs/heads/main"):
        yield "A token of the branch main does not become Deploy any more: nothing can be deployed."


def reports_have_their_door(seen: Seen) -> Iterator[str]:
    if not seen.came({"eventName": "AssumeRole", "requestParameters.roleArn": "*:role/Reports"}):
        yield "The bookkeeper has not become Reports yet: do the step `reports`."
    bookkeeper, account = seen.values["bookkeeper"], seen.values["account"]
    caller = {"role": "Nightly", "account": bookkeeper, "session": "nightly"}
    if not seen.allows(assume=f"arn:aws:iam::{account}:role/Reports", caller=caller):
        yield "The bookkeeper's role does not become Reports any more."


def fax_goes_on(seen: Seen) -> Iterator[str]:
    if not _active(seen, "fax"):
        yield "The fax has no key that works, and takes nothing else: it has stopped."
    if not seen.came({"userIdentity.arn": "*:user/fax"}):
        yield "Nobody has been the fax yet: do the step `fax`."


def no_needless_keys(seen: Seen) -> Iterator[str]:
    left = [user for user in NEEDLESS if _active(seen, user)]
    if left:
        yield f"These have a key that works, and do not need it any more: {', '.join(left)}."
    if len(_active(seen, "fax")) > 1:
        yield "The fax has two keys that work. It needs one."


def only_main(seen: Seen) -> Iterator[str]:
    for repo, ref in (
        ("shop/site", "refs/heads/trainee"),
        ("shop/site", "refs/tags/main"),
        ("mallory/site", "refs/heads/main"),
    ):
        if _may_deploy(seen, repo, ref):
            yield f"A job of {repo} at {ref} still becomes Deploy."


def _active(seen: Seen, user: str) -> list[str]:
    keys = seen.world.page(documents.ACCESS_KEY)
    return [key["id"] for key in keys if key["user"] == user and key["status"] == "Active"]


def _may_deploy(seen: Seen, repo: str, ref: str) -> bool:
    role = f"arn:aws:iam::{seen.values['account']}:role/Deploy"
    return seen.allows(assume=role, with_={"github": {"repo": repo, "ref": ref}})

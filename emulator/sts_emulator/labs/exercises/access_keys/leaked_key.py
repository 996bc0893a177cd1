"""What Dana, the thief and the administrator do, and whether the thief is out and Dana is not."""

from __future__ import annotations

from collections.abc import Iterator

from sts_emulator.accounts import documents
from sts_emulator.core import clock
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Seen

LEAKED = "AKIALEAKEDBYDANA0001"
YEAR = 365 * 86_400
LONGEST = 129_600  # seconds of a user's session


# -- steps -----------------------------------------------------------------------------------------------------------


def look(hands: Hands) -> None:
    hands.client("iam").list_access_keys(UserName="dana")


def steal(hands: Hands) -> None:
    _read(hands, "payroll", "salaries.csv", _leaked(hands))


def wait(hands: Hands) -> None:
    hands.advance(YEAR)
    hands.keep("session", hands.client("sts", _leaked(hands)).get_session_token(DurationSeconds=LONGEST))


def repair(hands: Hands) -> None:
    iam = hands.client("iam")
    iam.create_access_key(UserName="dana")
    iam.update_access_key(UserName="dana", AccessKeyId=LEAKED, Status="Inactive")
    reports = f"arn:aws:s3:::reports-{hands.values['account']}/*"
    hands.put_user_policy("dana", "storage", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": reports})


def again(hands: Hands) -> None:
    _read(hands, "reports", "today.csv", hands.session("session"))


def end(hands: Hands) -> None:
    hands.advance(60)
    hands.put_user_policy("dana", "end-old-sessions", hands.old_sessions_denied())


def last(hands: Hands) -> None:
    with hands.tries():
        again(hands)


def _leaked(hands: Hands) -> tuple[str, ...]:
    return (LEAKED, f"danas-secret-as-it-stands-there-{hands.values['secret']}")


def _read(hands: Hands, bucket: str, key: str, keys: tuple[str, ...]) -> None:
    s3 = hands.client("s3", keys)
    s3.get_object(Bucket=f"{bucket}-{hands.values['account']}", Key=key)["Body"].read()


# -- wrong ways ------------------------------------------------------------------------------------------------------


def new_key_only(hands: Hands) -> None:
    hands.client("iam").create_access_key(UserName="dana")


def delete_the_key(hands: Hands) -> None:
    hands.client("iam").delete_access_key(UserName="dana", AccessKeyId=LEAKED)


def nothing_more(_: Hands) -> None:
    """The key is off, so it is over."""


def deny_everything(hands: Hands) -> None:
    hands.put_user_policy("dana", "end-old-sessions", {"Effect": "Deny", "Action": "*", "Resource": "*"})


# -- checks ----------------------------------------------------------------------------------------------------------


def leaked_key_is_off(seen: Seen) -> Iterator[str]:
    key = seen.world.get(documents.ACCESS_KEY, LEAKED)
    if key is not None and key["status"] == "Active":
        yield f"The key {LEAKED} is still Active: whoever has it can still use it."


def dana_goes_on(seen: Seen) -> Iterator[str]:
    keys = [key for key in seen.world.page(documents.ACCESS_KEY) if key["user"] == "dana"]
    active = [key["id"] for key in keys if key["status"] == "Active"]
    if not active:
        yield "Dana has no access key that works: her program has stopped."
    if not _may_read(seen, "reports", "today.csv"):
        yield "Dana's policies do not let her read the reports any more: her program has stopped."
    if active == [LEAKED]:
        yield "Dana's only key is the one that leaked: switch it off, and her program stops. Make her a new one."


def only_the_reports(seen: Seen) -> Iterator[str]:
    if _may_read(seen, "payroll", "salaries.csv"):
        yield "Dana's policies still let her read the salaries. Her program needs the reports only."
    if _may(seen, "s3:DeleteObject", "reports", "today.csv"):
        yield "Dana's policies still let her delete reports. Her program only reads them."


def old_sessions_are_over(seen: Seen) -> Iterator[str]:
    made = seen.last({"eventName": "GetSessionToken", "userIdentity.accessKeyId": LEAKED})
    if made is None or not made.is_allowed:
        yield "The thief has not made a session yet: do the step `wait` first."
    elif _may_read(seen, "reports", "today.csv", issued=clock.iso(made.at)):
        yield "The session that the thief made with the leaked key is still good, and can read the reports."


def _may_read(seen: Seen, bucket: str, key: str, issued: str = "") -> bool:
    return _may(seen, "s3:GetObject", bucket, key, issued)


def _may(seen: Seen, action: str, bucket: str, key: str, issued: str = "") -> bool:
    resource = f"arn:aws:s3:::{bucket}-{seen.values['account']}/{key}"
    keys = {"aws:TokenIssueTime": issued} if issued else {}
    return seen.allows(may=f"{action} on {resource}", caller={"user": "dana"}, keys=keys)

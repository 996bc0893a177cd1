"""Page `/federation`, as signin.aws.amazon.com/federation is: temporary credentials become a console session.

A broker exchanges credentials for a sign-in token (`getSigninToken`) and sends its user to a link with it (`login`);
docs/aws/console-sign-in.md, "Federation endpoint". What AWS answers to wrong input is not recorded; here it is a 400
with a sentence.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

from sts_emulator.core.errors import AwsError
from sts_emulator.pages import render
from sts_emulator.pages.console import (
    LONGEST,
    SIGN_IN_TOKEN,
    ConsoleSession,
    is_console,
    of_role,
    sign_in_header,
    sign_in_token,
)
from sts_emulator.pages.refusals import as_json, as_page
from sts_emulator.pages.routes import ANY, page
from sts_emulator.pages.visit import Visit
from sts_emulator.vending import authenticate
from sts_emulator.vending.credentials import derive_secret, recover
from sts_emulator.vending.session import FEDERATED, ROLE, Session
from sts_emulator.wire.http import Response, parameters

SHORTEST = 900
CHAINED_LIMIT = 3600


def _refusal(visit: Visit, error: AwsError) -> Response:
    """A broker's script is told in JSON, a person who follows a link on a page."""
    if error.code == "MalformedQueryString":
        return as_json(visit, error)
    return as_page(visit, error) if parameters(visit.request).get("Action") == "login" else as_json(visit, error)


@page(ANY, "/federation", refusal=_refusal, foreign=True)
def federation(visit: Visit) -> Response:
    """Answer `Action=getSigninToken` or `Action=login`, in the query of a GET or the form of a POST."""
    given = parameters(visit.request)
    action = _ACTIONS.get(given.get("Action", ""))
    if action is None or visit.request.method not in ("GET", "POST"):
        raise AwsError("ValidationError", "Action must be getSigninToken or login")
    return action(visit, given)


def _signin_token(visit: Visit, given: Mapping[str, str]) -> Response:
    with visit.attempt("signin", "GetSigninToken") as attempt:
        session, key_id = _proven(visit, given.get("Session", ""))
        attempt.ctx.caller = authenticate.caller_of_session(visit.world, session, key_id)
        until = _until(visit.world.now(), session, given.get("SessionDuration"))
        attempt.result = {"GetSigninToken": "Success"}
    return render.data(200, {"SigninToken": sign_in_token(visit.world, of_role(visit.world, session, until))})


def _login(visit: Visit, given: Mapping[str, str]) -> Response:
    console = ConsoleSession.open(visit.world, SIGN_IN_TOKEN, given.get("SigninToken", ""))
    if console is None:
        raise AwsError("Refused", "The sign-in token is not valid, or no longer.")
    with visit.attempt("signin", "ConsoleLogin") as attempt:
        attempt.ctx.caller = authenticate.caller_of_session(visit.world, console.session, "")
        attempt.ctx.evidence["LoginTo"] = given.get("Destination", "")
        attempt.result = {"ConsoleLogin": "Success"}
    return render.redirect(_destination(visit, given.get("Destination", "")), [sign_in_header(visit, console)])


_ACTIONS: Mapping[str, Callable[[Visit, Mapping[str, str]], Response]] = {
    "getSigninToken": _signin_token,
    "login": _login,
}


def _proven(visit: Visit, text: str) -> tuple[Session, str]:
    """The session whose credentials the broker showed, and its access key id.

    Raises:
        AwsError: no such credentials, or of a kind that AWS gives no console for.
    """
    try:
        shown = json.loads(text)
        key_id, secret, token = (shown[name] for name in ("sessionId", "sessionKey", "sessionToken"))
    except (ValueError, RecursionError, KeyError, TypeError):
        raise AwsError("ValidationError", "Session must be JSON with sessionId, sessionKey and sessionToken") from None
    if not all(isinstance(member, str) for member in (key_id, secret, token)):
        raise AwsError("ValidationError", "Session must hold texts")
    session = recover(visit.world, key_id, token)
    if not hmac.compare_digest(derive_secret(visit.world, key_id).encode(), secret.encode("utf-8", "replace")):
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid", status=403)
    if session.kind not in (ROLE, FEDERATED):
        raise AwsError("AccessDenied", "Console sign-in needs credentials of a role or a federated user", status=403)
    return session, key_id


def _until(now: float, session: Session, duration: str | None) -> int:
    if duration is None:
        return session.expires
    if session.kind == FEDERATED:
        raise AwsError("ValidationError", "SessionDuration is not allowed with credentials of GetFederationToken")
    longest = CHAINED_LIMIT if session.chained else LONGEST
    if not (duration.isascii() and duration.isdigit() and SHORTEST <= int(duration[:9]) <= longest):
        raise AwsError("ValidationError", f"SessionDuration must be between {SHORTEST} and {longest} seconds")
    return int(now) + int(duration)


def _destination(visit: Visit, asked: str) -> str:
    """Our own console, which names the destination: AWS's is not here, and nobody else's is followed."""
    own = f"{visit.root}/console"
    return f"{own}?destination={quote(asked, safe='')}" if is_console(asked) else own

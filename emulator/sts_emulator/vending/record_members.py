"""What was asked and answered, as CloudTrail writes it: parameters, answers, resources, dates and error codes.

Source: docs/aws/cloudtrail.md, "Members of a record", "Secrets" and "Error codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sts_emulator.catalogue import TRAILS
from sts_emulator.policy.arns import parse_arn
from sts_emulator.wire import models
from sts_emulator.wire.models import Shape

if TYPE_CHECKING:
    from sts_emulator.vending.record import Attempt

_READS = ("Get", "List", "Describe", "Lookup", "Decode", "Simulate", "Generate", "Is", "Search", "BatchGet")
_WRITES = frozenset(  # in spite of their names
    (
        "GetFederationToken",
        "GetSigninToken",
        "GetScopedCredentials",
        "GetDelegatedAccessToken",
        "GetCredentialsForIdentity",
    )
)
_BY_BROWSER = frozenset(("ConsoleLogin", "GetSigninToken"))
_PORTAL = frozenset(("ListAccounts", "ListAccountRoles", "GetRoleCredentials", "Logout"))  # of people with a token
_DETAILS = {"roleName": "role_name", "accountId": "account_id"}
_SOURCES: Mapping[str | tuple[str, str], str] = {
    "sso-admin": "sso",
    "sso-oidc": "sso",
    ("sso-oidc", "CreateTokenWithIAM"): "sso-oauth",
}
_GRANTS = frozenset(("AuthorizeOAuth2Access", "CreateOAuth2Token"))  # of `aws login`; their records are samples of AWS
_SECRETS = frozenset(
    {
        *("SecretAccessKey", "WebIdentityToken", "SAMLAssertion", "TokenCode", "TradeInToken", "Token", "SigninToken"),
        *("AuthenticationCode1", "AuthenticationCode2", "Base32StringSeed", "QRCodePNG", "AddPrivateKey", "PrivateKey"),
        *("Password", "OldPassword", "NewPassword", "ServicePassword", "ServiceCredentialSecret", "ContextAssertion"),
    }
)
_LEFT_OUT = frozenset(("sts", "iam"))  # other services write instead of a secret that they hid it
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_UNTOLD = "An unknown error occurred"  # instead of the sentence that a web identity was refused with


def is_read(name: str) -> bool:
    """Whether an operation changes nothing, as CloudTrail counts it: assuming a role is reading."""
    return name in TRAILS or name in _GRANTS or (name.startswith(_READS) and name not in _WRITES)


def is_console_sign_in(service: str, operation: str) -> bool:
    """Whether a browser signed in, which has an event type of its own; `aws login` and its tokens are API calls."""
    return service == "signin" and operation in _BY_BROWSER


@lru_cache(maxsize=512)
def tells_answer(service: str, operation: str) -> bool:
    """Whether `responseElements` tell what was answered: not of what only reads, but for who is given credentials."""
    if is_console_sign_in(service, operation):
        return True
    is_untold = operation in _GRANTS or _is_portal(service, operation)
    return not is_untold and (operation in TRAILS or not is_read(operation))


def source(attempt: Attempt) -> str:
    """`eventSource`, without its domain: Identity Center's services share one."""
    return _SOURCES.get((attempt.service, attempt.operation)) or _SOURCES.get(attempt.service, attempt.service)


def kind(attempt: Attempt) -> str:
    """`eventType`."""
    if is_console_sign_in(attempt.service, attempt.operation):
        return "AwsConsoleSignIn"
    return "AwsServiceEvent" if _is_portal(attempt.service, attempt.operation) else "AwsApiCall"


def service_details(attempt: Attempt) -> dict[str, Any]:
    """`serviceEventDetails`: the portal's records tell there what was asked for, and have no parameters."""
    if not _is_portal(attempt.service, attempt.operation):
        return {}
    return {told: attempt.parameters[name] for name, told in _DETAILS.items() if name in attempt.parameters}


def _is_portal(service: str, operation: str) -> bool:
    return service == "sso" and operation in _PORTAL


def without_secrets(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters as an event may keep them."""
    if _SECRETS.isdisjoint(parameters):
        return parameters
    return {name: value for name, value in parameters.items() if name not in _SECRETS}


def parameters(attempt: Attempt) -> dict[str, Any] | None:
    """`requestParameters`: None when there are none."""
    if _is_portal(attempt.service, attempt.operation):
        return None
    if attempt.operation == "CreateOAuth2Token":
        return {"client_id": attempt.parameters.get("tokenInput", {}).get("clientId")}
    shown = _members(attempt, attempt.parameters, _shapes(attempt.service, attempt.operation)[0])
    if attempt.service == "sts":
        shown.update(_asked(attempt))
    return shown or None


def answer(attempt: Attempt) -> Any:
    """`responseElements`: None where they do not tell it."""
    result = attempt.result
    if is_console_sign_in(attempt.service, attempt.operation):
        return dict(result) if result else {attempt.operation: "Failure"}
    return (_members(attempt, result, _shapes(attempt.service, attempt.operation)[1]) or None) if result else None


def evidence(attempt: Attempt) -> dict[str, Any]:
    """What was proven, in the same form."""
    return _members(attempt, attempt.evidence, None)


def resources(attempt: Attempt) -> list[dict[str, str]]:
    """`resources`: the role that was asked for, and the provider that vouched."""
    if attempt.service != "sts" or attempt.operation not in TRAILS:
        return []
    given = [("RoleArn", "AWS::IAM::Role"), ("PrincipalArn", "AWS::IAM::SAMLProvider")]
    named = [(str(attempt.parameters[member]), kind) for member, kind in given if member in attempt.parameters]
    arns = [(parse_arn(text), text, kind) for text, kind in named]
    return [{"accountId": arn.account, "type": kind, "ARN": text} for arn, text, kind in arns if arn is not None]


def error_members(attempt: Attempt) -> dict[str, str]:
    """`errorCode` and `errorMessage`."""
    if attempt.operation == "AssumeRoleWithWebIdentity" and attempt.code == "AccessDenied":
        return {"errorCode": attempt.code, "errorMessage": _UNTOLD}
    return {"errorCode": _code(attempt, attempt.code), "errorMessage": attempt.message}


def _code(attempt: Attempt, code: str) -> str:
    """IAM writes the name of the exception, EC2 whose fault it is; the others what they told the client."""
    if attempt.service == "ec2":
        return f"Client.{code}"
    if attempt.service == "iam" and code in models.service("iam").errors and not code.endswith("Exception"):
        return f"{code}Exception"
    return code


def _asked(attempt: Attempt) -> dict[str, Any]:
    """What the parameters do not tell: what came with the assertion or token, or from the session before."""
    asked, shown = attempt.asked, {}
    if attempt.operation == "AssumeRole":
        session = attempt.caller.session if attempt.caller else None
        if session is not None and session.transitive:
            incoming = {key: session.tags[key] for key in session.transitive if key in session.tags}
            shown["incomingTransitiveTags"] = incoming
        return shown
    if attempt.operation not in TRAILS or asked is None:
        return shown
    if "assertion" in attempt.evidence:
        shown["sAMLAssertionID"] = attempt.evidence["assertion"]
    told = {
        "roleSessionName": asked.session_name,
        "durationSeconds": asked.duration or asked.default_duration,
        "principalTags": dict(asked.tags),
        "transitiveTagKeys": list(asked.transitive),
        "sourceIdentity": asked.source_identity,
    }
    return shown | {name: value for name, value in told.items() if value}


@lru_cache(maxsize=512)
def _shapes(service: str, name: str) -> tuple[Shape | None, Shape | None]:
    """The model's input and output of an operation; our own pages have none."""
    operation = models.service(service).operations.get(name) if service in models.services() else None
    return (operation.input, operation.output) if operation is not None else (None, None)


def _shown(attempt: Attempt, value: Any, shape: Shape | None) -> Any:
    """A wire value as CloudTrail writes it: names in lower camel, dates in words, secrets left out or hidden."""
    if type(value) is str or (type(value) is int and shape is not None and shape.type != "timestamp"):
        return value  # at once: an abstract class is asked slowly
    if isinstance(value, Mapping):
        return _members(attempt, value, shape)
    if isinstance(value, list | tuple):
        item = shape.member.shape if shape is not None and shape.member is not None else None
        return [_shown(attempt, part, item) for part in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    is_date = shape is not None and shape.type == "timestamp"
    if isinstance(value, datetime) or (is_date and isinstance(value, int | float)):
        return _date(attempt, value)
    return value


def _members(attempt: Attempt, value: Mapping[str, Any], shape: Shape | None) -> dict[str, Any]:
    if shape is not None and shape.type == "map":
        inner = shape.value.shape if shape.value is not None else None
        if inner is not None and inner.sensitive:  # tokens by provider, as in GetId's Logins
            return dict.fromkeys(map(str, value), _HIDDEN)
        return {str(key): _shown(attempt, item, inner) for key, item in value.items()}
    shown, service = {}, attempt.service
    for member, item in value.items():
        told, is_secret, inner = _told(service, shape, member)
        if not is_secret:
            shown[told] = item if type(item) is str else _shown(attempt, item, inner)
        elif service not in _LEFT_OUT:
            shown[told] = _HIDDEN
    return shown


@lru_cache(maxsize=2048)
def _told(service: str, shape: Shape | None, member: str) -> tuple[str, bool, Shape | None]:
    """What CloudTrail calls a member, whether it is a secret, and its shape."""
    described = shape.members.get(member) if shape is not None else None
    inner = described.shape if described is not None else None
    name = member[:1].upper() + member[1:]
    is_secret = name in _SECRETS or (name == "SessionToken" and service != "sts")  # others' records: not known, hidden
    is_secret |= inner is not None and inner.sensitive and member != "SessionToken"
    return member[:1].lower() + member[1:], is_secret, inner


def _date(attempt: Attempt, value: float | datetime) -> str:
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return _date_at(int(value), "," if attempt.service == "sts" else "")


@lru_cache(maxsize=64)  # what is vended in one second mostly ends in one
def _date_at(second: int, comma: str) -> str:
    """`Jul 30, 2024, 9:46:15 PM`; IAM writes it without the second comma."""
    moment = datetime.fromtimestamp(second, UTC)
    hour, half = moment.hour % 12 or 12, "AM" if moment.hour < 12 else "PM"  # noqa: PLR2004 - noon
    month = _MONTHS[moment.month - 1]
    return f"{month} {moment.day}, {moment.year}{comma} {hour}:{moment.minute:02}:{moment.second:02} {half}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

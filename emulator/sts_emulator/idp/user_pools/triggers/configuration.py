"""LambdaConfig: which functions a pool names, checked as it is set, and found when a trigger fires."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools.kinds import Pool, invalid, unsupported
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire.dispatch import Result

TRIGGERS: Final = (
    *("PreSignUp", "PostConfirmation", "PreAuthentication", "PostAuthentication", "CustomMessage", "UserMigration"),
    *("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"),
)
INBOUND: Final = "InboundFederation"
TOKENS: Final = "PreTokenGeneration"
_TOKENS_CONFIG: Final = "PreTokenGenerationConfig"
_ABSENT: Final = {
    "CustomSMSSender": "a custom SMS sender (its codes are encrypted by KMS, which is not here; CustomMessage is)",
    "CustomEmailSender": "a custom e-mail sender (its codes are encrypted by KMS, which is not here; CustomMessage is)",
    "KMSKeyID": "a KMS key for custom senders",
}
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]+:[0-9]{12}:function:[\w-]{1,64}(:[\w$-]{1,128})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Function:
    """A trigger's function; `version` is that of its event."""

    arn: str
    version: str = "1"


def function_of(pool: Pool, trigger: str) -> Function | None:
    """The function that a pool names for a trigger."""
    config: Mapping[str, Any] = pool["settings"].get("LambdaConfig") or {}
    versioned = config.get(_TOKENS_CONFIG if trigger == TOKENS else trigger)
    if isinstance(versioned, Mapping):
        return Function(versioned["LambdaArn"], versioned["LambdaVersion"][1])  # V2_0
    arn = config.get(trigger)
    return Function(arn) if arn else None


def check(config: Mapping[str, Any], tier: str) -> None:
    """Refuse what cannot be, or is not here. Raises AwsError."""
    for name, what in _ABSENT.items():
        if config.get(name):
            raise unsupported(what)
    versioned = config.get(_TOKENS_CONFIG)
    if config.get(INBOUND):
        _check_arn(config[INBOUND]["LambdaArn"])
    for name in (*TRIGGERS, TOKENS):
        if config.get(name):
            _check_arn(config[name])
    if not versioned:
        return
    _check_arn(versioned["LambdaArn"])
    if config.get(TOKENS) not in (None, versioned["LambdaArn"]):
        raise invalid("PreTokenGeneration and PreTokenGenerationConfig must have the same LambdaArn.")
    if tier == "LITE" and versioned["LambdaVersion"] != "V1_0":
        raise AwsError(
            "FeatureUnavailableInTierException", "Access token customization is not available in the current tier."
        )


def shown(config: Mapping[str, Any]) -> Result:
    """As a pool tells it: the function before tokens stands in both places."""
    told = {name: value for name, value in config.items() if value}
    if _TOKENS_CONFIG in told:
        told[TOKENS] = told[_TOKENS_CONFIG]["LambdaArn"]
    elif TOKENS in told:
        told[_TOKENS_CONFIG] = {"LambdaVersion": "V1_0", "LambdaArn": told[TOKENS]}
    return told


def _check_arn(arn: str) -> None:
    if not _FUNCTION.fullmatch(arn):
        raise invalid(f"Invalid ARN of a Lambda function: {arn[:200]}")

"""The policies that rules show: who stands in them, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.policy.federated import OIDC, SAML

ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/Deployer"
PRIVATE = "idp.example.org/realms/main"
SAML_ARN = SAML.arn(ACCOUNT, "Okta")
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
AUDIENCE = "sts.amazonaws.com"


def policy(*statements: Mapping[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def admits(principal: object, action: object = "sts:AssumeRole", **condition: object) -> dict[str, Any]:
    """A trust policy that allows one thing; keyword arguments are condition operators."""
    return policy(allow(principal, action, **condition))


def refuses(principal: object, action: object = "sts:AssumeRole", **condition: object) -> dict[str, Any]:
    """Likewise one that denies."""
    return policy(deny(principal, action, **condition))


def by_token(issuer: str, **condition: Mapping[str, object]) -> dict[str, Any]:
    """A trust policy that admits tokens of an issuer; claims stand in it without the issuer."""
    tested = {
        operator: {key if ":" in key else f"{issuer}:{key}": value for key, value in keys.items()}
        for operator, keys in condition.items()
    }
    return admits({"Federated": OIDC.arn(ACCOUNT, issuer)}, OIDC.action, **tested)


def allow(principal: object, action: object = "sts:AssumeRole", **condition: object) -> dict[str, Any]:
    return _statement("Allow", principal, action, condition)


def deny(principal: object, action: object = "sts:AssumeRole", **condition: object) -> dict[str, Any]:
    return _statement("Deny", principal, action, condition)


def _statement(effect: str, principal: object, action: object, condition: Mapping[str, object]) -> dict[str, Any]:
    named = {"Effect": effect, "Principal": principal, "Action": action}
    return {**named, "Condition": condition} if condition else named

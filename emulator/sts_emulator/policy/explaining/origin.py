"""Owns the line that says who it was originally, whatever roles lie between."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PREFIX = "aws:originidentity/"


def origin_line(context: Mapping[str, Sequence[str]]) -> str:
    """`repo:acme/shop:… (workload), as token.actions.githubusercontent.com says`; empty for who came without an origin.

    `context` is a request's or session's, with lower-case keys.
    """
    subject, kind, issuer, provider = (
        context.get(f"{_PREFIX}{member}", ("",))[0]
        for member in ("subject", "subjecttype", "issuer", "federatedproviderarn")
    )
    if not subject:
        return ""
    # A SAML provider's issuer is a hash, which tells nobody anything.
    witness = provider if ":saml-provider/" in provider else issuer or "a certificate of Roles Anywhere"
    return f"{subject}{f' ({kind})' if kind else ''}, as {witness} says"

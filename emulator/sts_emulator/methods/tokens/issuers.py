"""Owns what an identity provider of tokens is, and what is said when its keys cannot be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sts_emulator.accounts.propagation import Propagation
from sts_emulator.policy.light_dataclass import dataclass


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be had; the text says why, for our own users."""


class ThumbprintError(Exception):
    """The issuer's certificate is neither trusted by the system nor pinned by the provider."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider of an account.

    `principal` is its ARN, or the host of one that AWS has built in; `issuer` the URL in its tokens; `name` that URL
    without scheme, which prefixes its condition keys. `client_ids` is None where any audience is let through.
    """

    principal: str
    issuer: str
    name: str
    account: str = ""
    client_ids: tuple[str, ...] | None = None
    thumbprints: tuple[str, ...] = ()
    jwks: Mapping[str, Any] | None = None
    propagation: Propagation = field(default_factory=Propagation)

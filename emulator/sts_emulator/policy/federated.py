"""Owns what is known of federated identity providers by name alone."""

from __future__ import annotations

COGNITO = "cognito-identity.amazonaws.com"
GITHUB = "token.actions.githubusercontent.com"

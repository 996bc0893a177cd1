"""Functions that `serve --triggers` plays."""

from __future__ import annotations

import threading
from subprocess import run  # noqa: F401 - which an ARN must not reach
from typing import Any


def pre_sign_up(event: dict[str, Any]) -> dict[str, Any]:
    event["response"]["autoConfirmUser"] = True
    return event


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    assert context is None
    event["response"]["claimsOverrideDetails"] = {"claimsToAddOrOverride": {"played": "by Python"}}
    return event


async def later(event: dict[str, Any]) -> dict[str, Any]:
    return event


def failing(_: dict[str, Any]) -> None:
    raise ValueError("no\r\nX-Forged: yes")


def nothing(_: dict[str, Any]) -> None:
    return None


def strange(_: dict[str, Any]) -> Any:
    return {"response": {1, 2}}


def huge(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "response": {"x": "y" * 2_000_000}}


def endless(_: dict[str, Any]) -> None:
    threading.Event().wait()


def leaving(_: dict[str, Any]) -> None:
    raise SystemExit("it leaves")

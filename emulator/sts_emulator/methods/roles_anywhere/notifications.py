"""Notification settings of trust anchors: AWS's defaults, what an account sets instead, and the way back.

Kept as {event: {enabled, threshold, channel, by}}; only customised ones are kept. Nothing is ever sent from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sts_emulator.accounts.anywhere import TrustAnchor
from sts_emulator.methods.roles_anywhere.kinds import PRINCIPAL, invalid
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.wire.dispatch import Result

EVENTS: Final = ("CA_CERTIFICATE_EXPIRY", "END_ENTITY_CERTIFICATE_EXPIRY")
DAYS: Final = 45

Settings = Iterable[Mapping[str, Any]]


def merged(kept: JsonObject, new: Settings) -> Result:
    """What is kept, with the new settings on top.

    Raises:
        AwsError: ValidationException for an enabled setting without a threshold, which the model's text requires.
    """
    result = dict(kept)
    for setting in new:
        if setting["enabled"] and setting.get("threshold") is None:
            raise invalid(f"A threshold is required for the enabled notification setting {setting['event']}")
        result[setting["event"]] = {
            "enabled": setting["enabled"],
            "threshold": setting.get("threshold", DAYS),
            "channel": setting.get("channel", "ALL"),
        }
    return result


def without(kept: JsonObject, keys: Settings) -> Result:
    """What is kept, less the events of these keys, which go back to the defaults."""
    gone = {key["event"] for key in keys}
    return {event: setting for event, setting in kept.items() if event not in gone}


def detail(anchor: TrustAnchor) -> list[Result]:
    """The NotificationSettingDetails of an anchor, defaults included."""
    default = {"enabled": True, "threshold": DAYS, "channel": "ALL"}
    return [
        {
            "event": event,
            **anchor["notifications"].get(event, default),
            "configuredBy": anchor["account"] if event in anchor["notifications"] else PRINCIPAL,
        }
        for event in EVENTS
    ]

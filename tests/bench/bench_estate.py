"""CPU time and memory of the analyses on a dense account of 5,000 roles, each in a process of its own.

    python -m tests.bench.bench_estate

Every fifth role trusts its account's root, every seventh may assume `*`: the densest account that was met.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
ROLES = 5_000
COMMANDS = (
    ["check", "account.json"],
    ["lint", "account.json"],
    ["who-can", "role-0", "account.json"],
    ["what-can", "role-7", "account.json"],
    ["diff", "account.json", "changed.json"],
)


def account() -> dict[str, Any]:
    """As `aws iam get-account-authorization-details` shows it."""
    chance = random.Random(1)
    roles = [_role(number, chance) for number in range(ROLES)]
    return {"UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": roles, "IsTruncated": False}


def _role(number: int, chance: random.Random) -> dict[str, Any]:
    def arn(of: int) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/team/role-{of}"

    trusted: Any = (
        {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        {"Service": "lambda.amazonaws.com"},
        {"AWS": arn(chance.randrange(ROLES))},
        {"AWS": [arn(chance.randrange(ROLES)) for _ in range(4)]},
        {"AWS": f"arn:aws:iam::{444455550000 + number}:root"},
    )[number % 5]
    action, reach = ("sts:AssumeRole", "*") if number % 7 == 0 else ("s3:GetObject", "arn:aws:s3:::data/*")
    return {
        "Path": "/team/",
        "RoleName": f"role-{number}",
        "RoleId": f"AROA{number:017}",
        "Arn": arn(number),
        "AssumeRolePolicyDocument": _document(Principal=trusted, Action="sts:AssumeRole"),
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": _document(Action=action, Resource=reach)}],
        "AttachedManagedPolicies": [],
    }


def _document(**elements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **elements}]}


def main() -> None:
    """Print a line for each command."""
    with tempfile.TemporaryDirectory() as folder:
        whole = account()
        Path(folder, "account.json").write_text(json.dumps(whole))
        whole["RoleDetailList"][0]["AssumeRolePolicyDocument"] = _document(
            Principal={"AWS": "*"}, Action="sts:AssumeRole"
        )
        Path(folder, "changed.json").write_text(json.dumps(whole))
        for command in COMMANDS:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, "-m", "sts_emulator", *command], cwd=folder, stdout=subprocess.DEVNULL, check=False
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{command[0]:<9} {seconds:5.1f} s of CPU, at most {after.ru_maxrss >> 10} MB so far")


if __name__ == "__main__":
    main()

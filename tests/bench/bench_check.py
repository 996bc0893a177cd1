"""What checking costs: expectations a second, mutants a second, and an import of thousands of roles with its memory.

Run with `python -m tests.bench.bench_check [ROLES]`; prints one line a figure. Each step runs in a process of its own, so
that its peak memory is its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACCOUNT = "111122223333"
ISSUER = "token.actions.githubusercontent.com"


def account_details(roles: int) -> str:
    """What get-account-authorization-details says of an account with so many roles, and a tenth of the users."""
    return json.dumps(
        {
            "UserDetailList": [user(number) for number in range(roles // 10)],
            "GroupDetailList": [],
            "RoleDetailList": [role(number, roles) for number in range(roles)],
            "Policies": [],
        },
        indent=4,
    )


def user(number: int) -> dict:
    return {
        "Path": "/",
        "UserName": f"user-{number}",
        "UserId": f"AIDA{number:017}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/user-{number}",
        "CreateDate": "2026-01-01T00:00:00+00:00",
        "UserPolicyList": [{"PolicyName": "assume", "PolicyDocument": allow("sts:AssumeRole", Resource=arn(number))}],
        "GroupList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }


def role(number: int, roles: int) -> dict:
    return {
        "Path": "/",
        "RoleName": f"role-{number}",
        "RoleId": f"AROA{number:017}",
        "Arn": arn(number),
        "CreateDate": "2026-01-01T00:00:00+00:00",
        "AssumeRolePolicyDocument": trust(number, roles),
        "InstanceProfileList": [],
        "RolePolicyList": [
            {
                "PolicyName": "work",
                "PolicyDocument": allow(["s3:GetObject", "s3:PutObject"], Resource=f"arn:aws:s3:::bucket-{number}/*"),
            },
            {"PolicyName": "chain", "PolicyDocument": allow("sts:AssumeRole", Resource=arn((number + 1) % roles))},
        ],
        "AttachedManagedPolicies": [
            {"PolicyName": "ViewOnlyAccess", "PolicyArn": "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"}
        ],
        "Tags": [{"Key": "team", "Value": f"team-{number % 40}"}],
    }


def arn(number: int) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/role-{number}"


def allow(action: object, **rest: object) -> dict:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, **rest}]}


def trust(number: int, roles: int) -> dict:
    """Three kinds in turn: a GitHub repository, another account with an external id, the role before this one."""
    if number % 3 == 0:
        subject = f"repo:octo-org/app-{number}:ref:refs/heads/main"
        condition = {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": subject}}
        principal = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
        return allow("sts:AssumeRoleWithWebIdentity", Principal=principal, Condition=condition)
    if number % 3 == 1:
        condition = {"StringEquals": {"sts:ExternalId": f"vendor-{number}"}}
        return allow("sts:AssumeRole", Principal={"AWS": "arn:aws:iam::444455556666:root"}, Condition=condition)
    return allow("sts:AssumeRole", Principal={"AWS": [arn((number - 1) % roles), f"arn:aws:iam::{ACCOUNT}:root"]})


def expectations(roles: int, wanted: int) -> str:
    lines = [
        "import: [account.json]",
        "accounts:",
        f'  "{ACCOUNT}":',
        f"    oidc_providers: [{{url: 'https://{ISSUER}'}}]",
        "expect:",
    ]
    for number in range(wanted):
        target = (number * 3) % (roles - roles % 3)
        claims = f"iss: 'https://{ISSUER}', aud: sts.amazonaws.com, sub: 'repo:octo-org/app-{target}:ref:refs/heads/"
        result = "main'" if number % 2 else "other'"
        lines.append(
            f"  - {{assume: {arn(target)}, with: {{claims: {{{claims}{result}}}}}, result: {'allow' if number % 2 else 'deny'}}}"
        )
    return "\n".join(lines) + "\n"


def measured(name: str, folder: Path, *command: str, per: int = 0) -> None:
    """Run a command of the command line, and print how long it took and how much memory it had at most."""
    program = f"import sys; from sts_emulator.cli.main import main; code = main({list(command)!r}); "
    # Not getrusage: its peak begins with that of the process that started this one.
    program += "told = open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]; print('PEAK', told, file=sys.stderr)"
    start = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    told = ended.stderr.rsplit("PEAK", 1)[-1].split()
    peak = int(told[0]) // 1024 if told and told[0].isdigit() else 0
    rate = f"  {per / seconds:>9,.0f} a second" if per else ""
    last = ended.stdout.strip().splitlines()[-1:] or [ended.stderr.strip()[-200:]]
    print(f"{name:<46} {seconds:7.2f} s  {peak:>5} MiB{rate}   {last[0][:90]}")


def main(roles: int) -> None:
    """Print the figures for an account of so many roles, and for a tenth of them."""
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, {resource.getpagesize()} byte pages")
    for number in (roles // 10, roles):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "account.json").write_text(account_details(number))
            size = (folder / "account.json").stat().st_size >> 10
            (folder / "access.yaml").write_text(expectations(number, min(number, 2000)))
            print(f"-- {number:,} roles, {size:,} KiB")
            measured("check account.json", folder, "check", "account.json", per=number)
            measured("check access.yaml (imports it)", folder, "check", "-q", "access.yaml")
            measured("lint account.json", folder, "lint", "-q", "account.json", per=number)
            measured("import account.json", folder, "import", "account.json", "-o", "out.yaml", per=number)
            measured("who-can role-0", folder, "who-can", "role-0", "--in", "account.json")
            measured("who-can role-2 (trusts the account)", folder, "who-can", "role-2", "--in", "account.json")
            measured("what-can role-1", folder, "what-can", "role-1", "--in", "account.json")
            measured("diff account.json account.json", folder, "diff", "account.json", "account.json")
    scenarios = str(Path("trust_policies").resolve())
    measured("check trust_policies", Path(), "check", "-q", scenarios)
    measured("check --mutate --coverage trust_policies", Path(), "check", "-q", "--mutate", "--coverage", scenarios)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)

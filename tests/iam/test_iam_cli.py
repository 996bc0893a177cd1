"""The life of a role, told by the AWS CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from iam_stories import EMPTY, allow, arn, trust

pytestmark = pytest.mark.scenario(EMPTY)


@pytest.fixture
def cli(aws):
    """Run `aws` as root, or as whom `key` belongs to; its output as data, or its complaint as text."""
    program = Path(sys.executable).with_name("aws")

    def run(*arguments: str, key: dict | None = None):
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **aws.env(key)}
        done = subprocess.run(
            [program, *arguments, "--output", "json"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return done.stderr.strip()
        return json.loads(done.stdout) if done.stdout else None

    return run


@pytest.mark.clients
def test_a_role_from_its_creation_to_its_end(cli, tmp_path):
    # given a user who may assume roles
    cli("iam", "create-user", "--user-name", "ann")
    cli(
        "iam",
        "put-user-policy",
        "--user-name",
        "ann",
        "--policy-name",
        "p",
        "--policy-document",
        allow("sts:AssumeRole"),
    )
    key = cli("iam", "create-access-key", "--user-name", "ann")["AccessKey"]

    # when a role is made from files that trusts her
    file = tmp_path / "trust.json"
    file.write_text(trust(arn("user", "ann")))
    made = cli(
        *("iam", "create-role", "--role-name", "app", "--assume-role-policy-document", f"file://{file}"),
        *("--tags", "Key=team,Value=shop", "--max-session-duration", "7200"),
    )["Role"]
    assert made["Arn"] == arn("role", "app")
    assert made["AssumeRolePolicyDocument"] == json.loads(file.read_text())
    assert cli("iam", "wait", "role-exists", "--role-name", "app") is None

    # then she becomes it
    session = cli("sts", "assume-role", "--role-arn", made["Arn"], "--role-session-name", "ann", key=key)["Credentials"]
    assert cli("sts", "get-caller-identity", key=session)["UserId"] == f"{made['RoleId']}:ann"

    # and may do there what the role may
    denied = cli("iam", "get-role", "--role-name", "app", key=session)
    assert (
        "(AccessDenied) when calling the GetRole operation: User: arn:aws:sts::111122223333:assumed-role/app/ann is "
        "not authorized to perform: iam:GetRole on resource: role app because no identity-based policy allows the "
        "iam:GetRole action"
    ) in denied
    cli("iam", "attach-role-policy", "--role-name", "app", "--policy-arn", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    seen = cli("iam", "get-role", "--role-name", "app", key=session)["Role"]
    assert seen["MaxSessionDuration"] == 7200
    assert seen["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert seen["RoleLastUsed"]["Region"] == "us-east-1"

    # when the trust is changed to a service
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    cli("iam", "update-assume-role-policy", "--role-name", "app", "--policy-document", document)

    # then she gets in no more
    refused = cli("sts", "assume-role", "--role-arn", made["Arn"], "--role-session-name", "ann", key=key)
    assert "(AccessDenied) when calling the AssumeRole operation" in refused

    # when the role is deleted: what it holds must go first
    conflict = cli("iam", "delete-role", "--role-name", "app")
    assert conflict.endswith(
        "An error occurred (DeleteConflict) when calling the DeleteRole operation: "
        "Cannot delete entity, must detach all policies first."
    )
    cli("iam", "detach-role-policy", "--role-name", "app", "--policy-arn", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    cli("iam", "delete-role", "--role-name", "app")

    # then it is gone, and its sessions with it
    assert cli("iam", "list-roles")["Roles"] == []
    assert "InvalidClientTokenId" in cli("iam", "get-user", key=session)


def test_a_qr_code_is_written_to_a_file(cli, tmp_path):
    file = tmp_path / "qr.png"
    made = cli(
        *("iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "phone"),
        *("--outfile", str(file), "--bootstrap-method", "QRCodePNG"),
    )
    assert made["VirtualMFADevice"]["SerialNumber"] == arn("mfa", "phone")
    assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")

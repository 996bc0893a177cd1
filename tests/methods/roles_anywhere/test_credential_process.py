"""`credential-process`: what stands in the AWS CLI's configuration file, and what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sts_emulator.cli.main import main


@pytest.fixture
def options(stage):
    """The options for a certificate of the lab."""

    def of(name: str) -> list[str]:
        chain = stage.folder / f"{name}.chain.pem"
        return [
            *("credential-process", "--certificate", str(stage.folder / f"{name}.pem")),
            *("--private-key", str(stage.folder / f"{name}.key")),
            *(("--intermediates", str(chain)) if chain.exists() else ()),
            *("--trust-anchor-arn", stage.anchor, "--profile-arn", stage.profile, "--role-arn", stage.role),
            *("--endpoint", stage.aws.endpoint_url),
        ]

    return of


@pytest.mark.parametrize("name", ["web-01", "batch-01", "vault-01"])  # elliptic curves, RSA, ML-DSA
def test_a_certificate_brings_credentials(options, stage, capsys, name):
    if name == "vault-01":
        stage.anchor = stage.anchor_for("post-quantum-root")
    assert main([*options(name), "--session-duration", "900"]) == 0
    given = json.loads(capsys.readouterr().out)

    assert given["Version"] == 1
    keys = {part: given[part] for part in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    assert ":assumed-role/workload/" in stage.aws.client("sts", keys).get_caller_identity()["Arn"]


def test_the_aws_cli_reads_it_by_itself(options, stage, tmp_path):
    command = " ".join([sys.executable, "-m", "sts_emulator", *options("web-01")])
    (tmp_path / "config").write_text(f"[profile server]\nregion = us-east-1\ncredential_process = {command}\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": stage.aws.endpoint_url,
    }
    asked = [str(Path(sys.executable).with_name("aws")), "--profile", "server", "sts", "get-caller-identity"]
    answer = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert answer.returncode == 0, answer.stderr
    assert ":assumed-role/workload/" in json.loads(answer.stdout)["Arn"]


def test_a_revoked_one_brings_none_and_says_why(options, stage, capsys):
    stage.import_crl()

    assert main(options("stolen-laptop")) == 1
    assert capsys.readouterr().err == "sts-emulator: AccessDeniedException: Certificate revoked\n"


def test_what_is_no_certificate_is_told_by_name(options, capsys, tmp_path):
    wrong = options("web-01")
    wrong[2] = str(tmp_path / "none.pem")
    assert main(wrong) == 2
    assert "none.pem: no such file or directory" in capsys.readouterr().err
    (tmp_path / "none.pem").write_text("nothing")
    assert main(wrong) == 2
    assert "none.pem: is not a certificate in PEM" in capsys.readouterr().err


def test_nobody_there_is_told(options, capsys):
    assert main([*options("web-01"), "--endpoint", "http://127.0.0.1:1"]) == 1
    assert "IAM Roles Anywhere does not answer" in capsys.readouterr().err

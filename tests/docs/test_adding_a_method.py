"""docs/adding-a-method.md is carried out: its files are written into a copy of the package, which then has the method."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.credentials import ContainerProvider, Credentials
from botocore.exceptions import CredentialRetrievalError
from botocore.utils import ContainerMetadataFetcher

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-method.md").read_text("utf-8")
REALM_ARN = "arn:aws:iam::111111111111:kerberos-realm/EXAMPLE.COM"


def block(title: str) -> str:
    """The block of the page whose first line names a file."""
    match = re.search(rf"```(?:python|yaml)\n# {re.escape(title)}\n(.*?)```", PAGE, re.DOTALL)
    assert match, f"the page has no block `{title}`"
    return match[1]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the page's method in it, and the page's scenario beside it."""
    folder = tmp_path_factory.mktemp("ninth")
    package = folder / "sts_emulator"
    shutil.copytree(ROOT / "emulator" / "sts_emulator", package)
    (package / "methods" / "kerberos").mkdir()
    (package / "methods" / "kerberos" / "__init__.py").write_text('"""Kerberos tickets."""\n')
    for module in ("tickets", "scenario"):
        (package / "methods" / "kerberos" / f"{module}.py").write_text(block(f"methods/kerberos/{module}.py"), "utf-8")
    change(package / "catalogue.py", "\nMETHODS = (\n", f"\nMETHODS = (\n{block('in catalogue.py')}")
    federated = package / "policy" / "federated.py"
    change(federated, "KINDS = (OIDC, SAML)", f"{block('in policy/federated.py')}KINDS = (OIDC, SAML, KERBEROS)")
    change(federated, 'Literal["oidc", "saml"]', 'Literal["oidc", "saml", "kerberos"]')
    (folder / "kerberos.yaml").write_text(block("kerberos.yaml"), "utf-8")
    return folder


def run(copy: Path, *arguments: str) -> str:
    """What a command of the copy prints."""
    ended = subprocess.run(
        [sys.executable, "-m", "sts_emulator", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.stdout + ended.stderr


def check(copy: Path, scenario: str) -> tuple[list[bool], list[dict[str, str]]]:
    """Whether each expectation came about, and what became of each mutant."""
    (file,) = json.loads(run(copy, "check", scenario, "--mutate", "--jobs", "1", "--format", "json"))["files"]
    return [case["passed"] for case in file["expectations"]], file["mutants"]


def test_check_tries_its_expectations_and_mutants(copy):
    passed, mutants = check(copy, "kerberos.yaml")
    assert passed == [True, True]
    assert [mutant["by"] for mutant in mutants if mutant["outcome"] == "noticed"] == ["desk deny"]


def test_check_suggests_the_ticket_that_would_notice_a_weakening(copy):
    lines = (copy / "kerberos.yaml").read_text("utf-8").splitlines(keepends=True)
    (copy / "blind.yaml").write_text("".join(line for line in lines if "eve" not in line), "utf-8")
    _, mutants = check(copy, "blind.yaml")
    (missed,) = [mutant for mutant in mutants if mutant["outcome"] == "missed"]
    assert "with: {ticket: {realm:" in missed["suggestion"]
    assert "result: deny" in missed["suggestion"]


def test_who_can_names_the_realm(copy):
    assert "kerberos-realm/EXAMPLE.COM" in run(copy, "who-can", "desk", "kerberos.yaml")
    assert "Kerberos realm · 111111111111" in run(copy, "who-can", "desk", "kerberos.yaml", "--format", "svg")
    assert "role/desk" in run(copy, "what-can", "EXAMPLE.COM", "kerberos.yaml")


def test_diff_tells_who_gets_in_by_a_change(copy):
    text = (copy / "kerberos.yaml").read_text("utf-8")
    (copy / "open.yaml").write_text(text.replace("StringEquals", "StringLike").replace(": jane}}", ': "*"}}'), "utf-8")
    assert f"+ {REALM_ARN} gains sts:AssumeRoleWithTicket" in run(copy, "diff", "kerberos.yaml", "open.yaml")


def test_lint_knows_which_realms_there_are(copy):
    text = (copy / "kerberos.yaml").read_text("utf-8")
    (copy / "elsewhere.yaml").write_text(
        text.replace("kerberos-realm/EXAMPLE.COM", "kerberos-realm/ELSEWHERE"), "utf-8"
    )
    assert "no identity provider" not in run(copy, "lint", "kerberos.yaml")
    assert "no identity provider" in run(copy, "lint", "elsewhere.yaml")


def test_lint_knows_its_action_and_its_keys(copy):
    wrong = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": REALM_ARN},
                "Action": "sts:AssumeRoleWithSAML",
                "Condition": {"StringEquals": {"saml:sub": "jane"}},
            }
        ],
    }
    (copy / "trust.json").write_text(json.dumps(wrong))
    printed = run(copy, "lint", "trust.json")
    assert "allow sts:AssumeRoleWithTicket" in printed
    assert "saml:sub exists for callers with a SAML assertion, not for callers with a Kerberos ticket" in printed


@pytest.fixture(scope="module")
def url(copy: Path) -> Iterator[str]:
    """The copy's server, started from the page's scenario."""
    server = subprocess.Popen(
        [sys.executable, "-m", "sts_emulator", "serve", "--port", "0", "--scenario", "kerberos.yaml"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout
    printed = ""
    for line in server.stdout:
        printed += line
        if address := re.search(r"http://127\.0\.0\.1:\d+", line):
            yield address[0]
            break
    server.terminate()
    server.communicate(timeout=120)
    assert "http://" in printed, printed


def credentials(url: str, said: str, key: bytes = b"not-a-secret") -> Credentials:
    """What botocore's own container provider gets for a ticket that `key` has sealed."""
    provider = ContainerProvider(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/kerberos/111111111111/desk",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": f"{said}|{hmac.new(key, said.encode(), hashlib.sha256).hexdigest()}",
        },
        ContainerMetadataFetcher(sleep=lambda _: None),  # it asks three times
    )
    return provider.load()


def test_an_unmodified_sdk_trades_a_ticket_for_credentials(url):
    frozen = credentials(url, f"EXAMPLE.COM|jane|{int(time.time()) + 3600}").get_frozen_credentials()
    sts = boto3.client(
        "sts",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=frozen.access_key,
        aws_secret_access_key=frozen.secret_key,
        aws_session_token=frozen.token,
    )
    assert sts.get_caller_identity()["Arn"] == "arn:aws:sts::111111111111:assumed-role/desk/jane"


def test_its_explanation_says_who_came_with_the_ticket(url):
    credentials(url, f"EXAMPLE.COM|jane|{int(time.time()) + 3600}").get_frozen_credentials()
    with urllib.request.urlopen(f"{url}/_emulator/api/worlds/default/explain/last?format=text", timeout=120) as answer:
        assert f"origin  jane, as {REALM_ARN} says" in answer.read().decode()


@pytest.mark.parametrize(
    ("said", "key", "told"),
    [
        ("EXAMPLE.COM|jane|99999999999", b"another", "did not seal"),
        ("EXAMPLE.COM|jane|1", b"not-a-secret", "is over"),
        ("EXAMPLE.COM|jane", b"not-a-secret", "no ticket"),
        ("ELSEWHERE|jane|99999999999", b"not-a-secret", "no ticket"),
        ("EXAMPLE.COM|eve|99999999999", b"not-a-secret", "Not authorized to perform sts:AssumeRoleWithTicket"),
    ],
    ids=["forged", "over", "malformed", "of no realm", "of somebody else"],
)
def test_no_other_ticket_is_taken(url, said, key, told):
    with pytest.raises(CredentialRetrievalError, match=told):
        credentials(url, said, key)

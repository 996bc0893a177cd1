"""AWS CLI v2, unmodified: `configure sso`, `sso login` by device code and by browser, `login`, `login --remote`, and both ways out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import aws_cli
import pexpect
import pytest

DEV, PROD = "111122223333", "444455556666"
SCENARIO = f"""
accounts:
  "{DEV}":
    name: dev
    users:
      alice: {{policies: [SignInLocalDevelopmentAccess]}}
      dora: {{}}
  "{PROD}": {{name: prod}}
organization: {{management: "{DEV}", accounts: {{"{PROD}": {{}}}}}}
identity_center:
  start_url: https://d-9067000000.awsapps.com/start
  users: {{jane: {{}}, omar: {{}}}}
  permission_sets: {{Developer: {{policies: [PowerUserAccess]}}, ReadOnly: {{policies: [ReadOnlyAccess]}}}}
  assignments:
    - {{users: [jane], permission_sets: [Developer, ReadOnly], accounts: ["{DEV}"]}}
    - {{users: [jane], permission_sets: [ReadOnly], accounts: ["{PROD}"]}}
"""
CONFIG = f"""
[profile dev]
sso_session = lab
sso_account_id = {DEV}
sso_role_name = Developer
region = us-east-1
[sso-session lab]
sso_start_url = https://d-9067000000.awsapps.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
"""
OURS = Path(sys.executable).parent / "sts-emulator"
URL = r"http://127\.0\.0\.1:\S+"
SECONDS = 300

pytestmark = pytest.mark.scenario(SCENARIO)


class Cli:
    """The program, with a home of its own."""

    def __init__(self, endpoint_url: str, home: Path) -> None:
        self.program = aws_cli.program()
        self.config = home / ".aws" / "config"
        self.config.parent.mkdir()
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "AWS_REGION": "us-east-1",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody answers where the cursor is
            "TERM": "xterm",
        }

    def run(self, *command: str, code: int = 0) -> str:
        said = subprocess.run(
            [self.program, *command], env=self.variables, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert said.returncode == code, said.stderr
        return said.stdout + said.stderr

    def talk(self, *command: str, **variables: str) -> pexpect.spawn:
        """The command at a terminal wide enough for what it shows."""
        environment = {**self.variables, **variables}
        options = {"encoding": "utf-8", "timeout": SECONDS, "dimensions": (50, 2000)}
        return pexpect.spawn(self.program, list(command), env=environment, **options)

    def approve(self, what: str, user: str, *more: str, code: int = 0) -> str:
        """What `sts-emulator approve` says: the person at the page."""
        command = [OURS, "approve", what, "--user", user, *more]
        said = subprocess.run(command, env=self.variables, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert said.returncode == code, said.stderr
        return said.stdout.strip() + said.stderr.strip()

    def who(self, profile: str) -> str:
        return self.run("sts", "get-caller-identity", "--profile", profile, "--query", "Arn", "--output", "text")


def ended(talk: pexpect.spawn) -> tuple[int, str]:
    """How it ended, and the last that it said."""
    talk.expect(pexpect.EOF)
    talk.wait()  # else `close` ends it a tenth of a second after it has left its terminal
    talk.close()
    return talk.exitstatus, talk.before


@pytest.fixture
def cli(serve, tmp_path):
    """In the default world: `sso login` by browser and `login` make their addresses without a world's path."""
    (tmp_path / "world.yaml").write_text(SCENARIO)
    with serve("--scenario", str(tmp_path / "world.yaml")) as (url, _):
        yield Cli(url, tmp_path)


def test_sign_in_by_device_code_use_and_sign_out(aws, tmp_path):
    cli = Cli(aws.endpoint_url, tmp_path)
    cli.config.write_text(CONFIG)
    login = cli.talk("sso", "login", "--profile", "dev", "--use-device-code", "--no-browser")
    login.expect(r"\b[A-Z]{4}-[A-Z]{4}\b")
    aws.approve(login.match[0], "jane")
    assert ended(login)[0] == 0
    assert f"arn:aws:sts::{DEV}:assumed-role/AWSReservedSSO_Developer_" in cli.who("dev")
    exported = cli.run("configure", "export-credentials", "--profile", "dev", "--format", "env")
    assert "export AWS_SESSION_TOKEN=" in exported
    cli.run("sso", "logout")
    assert "Error" in cli.run("sts", "get-caller-identity", "--profile", "dev", code=255)


def test_the_pages_own_words(serve, tmp_path):
    """docs/identity-center.md, "A person signs in", as it stands there: in the default world, and nobody is asked."""
    page = (Path(__file__).parents[2] / "docs" / "identity-center.md").read_text("utf-8")
    config, who, login = (
        next(line for line in page.splitlines() if line.startswith(f"$ {start}")).removeprefix("$ ")
        for start in ("sts-emulator sso config", "aws sts get-caller-identity --profile", "BROWSER=")
    )
    with serve() as (url, _):
        cli = Cli(url, tmp_path)
        cli.variables["PATH"] = f"{Path(cli.program).parent}:{OURS.parent}:{cli.variables['PATH']}"
        for line in (config, login, who):
            said = subprocess.run(
                ["bash", "-c", line], env=cli.variables, capture_output=True, text=True, check=False, timeout=SECONDS
            )
            assert said.returncode == 0, said.stdout + said.stderr
    assert "assumed-role/AWSReservedSSO_Developer_" in said.stdout


def test_sign_in_by_browser(cli):
    cli.config.write_text(CONFIG)
    login = cli.talk("sso", "login", "--profile", "dev", "--no-browser")
    login.expect(URL)
    cli.approve(login.match[0], "jane")
    assert ended(login)[0] == 0
    assert cli.who("dev").strip().endswith("/jane")


def test_a_person_who_says_no(cli):
    cli.config.write_text(CONFIG)
    login = cli.talk("sso", "login", "--profile", "dev", "--no-browser")
    login.expect(URL)
    cli.approve(login.match[0], "jane", "--deny")
    assert ended(login)[0] != 0
    assert "Error" in cli.run("sts", "get-caller-identity", "--profile", "dev", code=255)


def test_who_is_not_assigned_signs_in_and_gets_nothing(cli):
    cli.config.write_text(CONFIG)
    login = cli.talk("sso", "login", "--profile", "dev", BROWSER=f"{shlex.quote(str(OURS))} approve %s --user omar &")
    assert ended(login)[0] == 0
    assert "No access" in cli.run("sts", "get-caller-identity", "--profile", "dev", code=254)


def test_configure_sso_asks_for_account_and_role(cli):
    said = cli.talk("configure", "sso", BROWSER=f"{shlex.quote(str(OURS))} approve %s --user jane &")
    for question, answer in [
        ("SSO session name", "lab"),
        ("SSO start URL", "https://d-9067000000.awsapps.com/start"),
        ("SSO region", "us-east-1"),
        ("SSO registration scopes", ""),
        (rf"prod, {PROD}\S* \({PROD}\)", ""),  # the first of the two, dev, is marked
        ("ReadOnly", ""),
        ("Default client Region", "us-east-1"),
        ("CLI default output format", "json"),
        ("Profile name", "mine"),
    ]:
        said.expect(question)
        said.send(f"{answer}\r")
    assert ended(said)[0] == 0
    assert re.search(rf"^sso_account_id *= *{DEV}$", cli.config.read_text(), re.MULTILINE)
    assert f"arn:aws:sts::{DEV}:assumed-role/AWSReservedSSO_Developer_" in cli.who("mine")


def test_login_as_a_user_of_iam_and_out_again(cli):
    login = cli.talk("login", "--profile", "alice", BROWSER="/bin/true")
    login.expect(URL)
    cli.approve(login.match[0], f"{DEV}/alice")
    assert ended(login)[0] == 0
    assert cli.who("alice").strip() == f"arn:aws:iam::{DEV}:user/alice"
    assert "AWS_SESSION_TOKEN" in cli.run("configure", "export-credentials", "--profile", "alice", "--format", "env")
    cli.run("logout", "--profile", "alice")
    cli.run("sts", "get-caller-identity", "--profile", "alice", code=255)


def test_login_on_another_device(cli):
    login = cli.talk("login", "--remote", "--profile", "root")
    login.expect(URL)
    address = login.match[0]
    login.expect(":")
    login.send(cli.approve(address, f"{DEV}/root") + "\r")
    assert ended(login)[0] == 0
    assert cli.who("root").strip() == f"arn:aws:iam::{DEV}:root"


def test_login_of_who_may_not(cli):
    login = cli.talk("login", "--remote", "--profile", "dora")
    login.expect(URL)
    assert "signin:AuthorizeOAuth2Access" in cli.approve(login.match[0], f"{DEV}/dora", code=1)
    login.terminate()

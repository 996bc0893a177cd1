"""The commands that talk to a running emulator, against a real one."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from sts_emulator import Aws
from sts_emulator.cli import env
from sts_emulator.cli.main import main
from sts_emulator.scenario import parse_file

BIN = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[2] / "trust_policies"


class Cli:
    """The command line, pointed at one world."""

    def __init__(self, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
        self.aws = aws
        self.capsys = capsys
        self.port = str(urlsplit(aws.endpoint_url).port)

    def __call__(self, *arguments: str, world: bool = True, code: int = 0) -> str:
        where = ["--port", self.port, *(["--world", self.aws.world] if world else [])]
        assert main([*arguments, *where]) == code
        captured = self.capsys.readouterr()
        return captured.out if code == 0 else captured.err


@pytest.fixture
def cli(aws: Aws, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(aws, capsys)


# -- env ------------------------------------------------------------------------------------------------------------


def test_env_gives_root_of_the_first_account_and_every_endpoint_variable(cli: Cli):
    variables = json.loads(cli("env", "--format", "json"))
    assert variables["AWS_ACCESS_KEY_ID"] == cli.aws.root["access_key_id"]
    assert {name for name, value in variables.items() if value == cli.aws.endpoint_url} == {
        "AWS_ENDPOINT_URL",
        *(f"AWS_ENDPOINT_URL_{service}" for service in env.SERVICES),
    }


def test_env_gives_another_account_or_a_user(cli: Cli):
    prod = json.loads(cli("env", "--format", "json", "--account", "444455556666"))
    alice = json.loads(cli("env", "--format", "json", "--user", "alice"))
    assert prod["AWS_ACCESS_KEY_ID"] == cli.aws.credentials(account="444455556666")["access_key_id"]
    assert alice["AWS_ACCESS_KEY_ID"] == cli.aws.credentials(user="alice")["access_key_id"]


def test_what_env_prints_is_what_a_shell_exports(cli: Cli):
    printed = cli("env")
    shell = {"AWS_SESSION_TOKEN": "stale", "AWS_PROFILE": "other", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    ended = subprocess.run(
        ["sh", "-c", f"{printed}\nexec {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"],
        env=shell,
        capture_output=True,
        text=True,
        check=True,
    )
    exported = json.loads(ended.stdout)
    assert not set(shell) & set(exported)
    assert {name: exported[name] for name in cli.aws.env()} == cli.aws.env()


@pytest.mark.parametrize("value", ["plain", "with space", "it's", 'say "hi"', "a$b`c", "back\\slash", "+/="])
def test_values_survive_quoting(value: str):
    (line,) = (line for line in env.FORMATS["sh"]({"X": value}) if line.startswith("export"))
    ended = subprocess.run(["sh", "-c", f'{line}\nprintf %s "$X"'], capture_output=True, text=True, check=True)
    assert ended.stdout == value


def test_the_forms_of_other_shells():
    variables = {"A": "plain", "B": "it's"}
    assert list(env.FORMATS["powershell"](variables))[-2:] == ["$Env:A = 'plain'", "$Env:B = 'it''s'"]
    assert list(env.FORMATS["dotenv"](variables)) == ["A=plain", "B='it's'"]


def test_a_profile_that_asks_the_emulator_each_time(cli: Cli, tmp_path: Path):
    config = tmp_path / "config"
    config.write_text(cli("env", "--format", "profile", "--profile", "lab", "--user", "alice"))
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "lab"}
    ended = subprocess.run(
        [BIN / "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.strip() == "arn:aws:iam::111122223333:user/alice", ended.stderr


def test_a_process_gives_credentials_as_sdks_read_them(cli: Cli):
    key = cli.aws.credentials(user="alice")
    assert json.loads(cli("env", "--format", "credential-process", "--user", "alice")) == {
        "Version": 1,
        "AccessKeyId": key["access_key_id"],
        "SecretAccessKey": key["secret_access_key"],
    }


def test_env_of_somebody_unknown(cli: Cli):
    assert cli("env", "--user", "zoe", code=1) == (
        "sts-emulator: account `111122223333` has no user `zoe`; there are alice, bob\n"
    )
    assert "did you mean `alice`?" in cli("env", "--user", "alcie", code=1)
    cli.aws.client("iam").create_user(UserName="keyless")
    assert "user `keyless` of account `111122223333` has no active access key" in cli(
        "env", "--user", "keyless", code=1
    )
    assert cli("env", "--world", "nowhere", world=False, code=1) == "sts-emulator: no world `nowhere`\n"


# -- token ----------------------------------------------------------------------------------------------------------


def test_a_token_opens_the_role_that_it_is_for(cli: Cli):
    token = cli("token", "github", "--repo", "acme/shop", "--ref", "refs/heads/main").strip()
    answer = cli.aws.client("sts").assume_role_with_web_identity(
        RoleArn="arn:aws:iam::111122223333:role/github-deploy", RoleSessionName="build-1", WebIdentityToken=token
    )
    assert answer["SubjectFromWebIdentityToken"] == "repo:acme/shop:ref:refs/heads/main"


def test_claims_and_options_of_a_token(cli: Cli):
    claims = json.loads(
        cli(
            *("token", "github", "--repo", "a/b", "--environment", "live", "--immutable", "--expires-in", "60"),
            *(
                "--audience",
                "one",
                "--audience",
                "two",
                "--claim",
                "extra=text",
                "--claim",
                'more={"a": 1}',
                "--claims",
            ),
        )
    )
    assert claims["sub"].endswith(":environment:live")
    assert "@" in claims["sub"]
    assert claims["aud"] == ["one", "two"]
    assert (claims["extra"], claims["more"]) == ("text", {"a": 1})
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_of_a_user_pool_s_user(cli: Cli):
    admin = cli.aws.client("cognito-idp")
    pool = admin.create_user_pool(PoolName="cli")["UserPool"]["Id"]
    admin.create_user_pool_client(UserPoolId=pool, ClientName="app")
    admin.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    body = cli("token", "cognito", "--pool", pool, "--user", "ada").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert (claims["cognito:username"], claims["token_use"]) == ("ada", "id")
    access = cli("token", "cognito", "--pool", "cli", "--client", "app", "--user", "ada", "--access")
    answer = admin.get_user(AccessToken=access.strip())
    assert answer["Username"] == "ada"


def test_a_token_of_another_issuer_of_the_same_kind(cli: Cli):
    cli.aws.load("issuers: {ours: {preset: gitlab, url: https://gitlab.acme.example}}")
    claims = json.loads(cli("token", "gitlab", "--issuer", "ours", "--project", "a/b", "--claims"))
    assert claims["iss"] == "https://gitlab.acme.example"


def test_tokens_that_cannot_be_made(cli: Cli):
    assert "no issuer `nobody` " in cli("token", "github", "--issuer", "nobody", code=1)
    assert "--claim takes NAME=VALUE, got `x`" in cli("token", "github", "--claim", "x", code=2)


# -- events and explanations ----------------------------------------------------------------------------------------


def refused(aws: Aws) -> str:
    sts = aws.client("sts", user="bob")
    with pytest.raises(sts.exceptions.ClientError) as caught:
        sts.assume_role(RoleArn="arn:aws:iam::111122223333:role/developer", RoleSessionName="bob")
    return str(caught.value.response["ResponseMetadata"]["RequestId"])


def test_events_are_told_in_a_line_each(cli: Cli):
    cli.aws.client("sts").get_caller_identity()
    request = refused(cli.aws)
    first, second = cli("events").splitlines()
    assert "allowed  GetCallerIdentity  arn:aws:iam::111122223333:root" in first
    assert "denied   AssumeRole  arn:aws:iam::111122223333:user/bob" in second
    assert "-> arn:aws:iam::111122223333:role/developer" in second
    assert second.endswith(f"[{request}]")


def test_events_as_records_and_only_some(cli: Cli):
    cli.aws.client("sts").get_caller_identity()
    refused(cli.aws)
    (record,) = map(json.loads, cli("events", "--json", "--outcome", "denied").splitlines())
    assert (record["eventName"], record["errorCode"]) == ("AssumeRole", "AccessDenied")
    assert len(cli("events", "--limit", "1").splitlines()) == 1


def test_events_are_followed_as_they_happen(cli: Cli):
    command = [sys.executable, "-m", "sts_emulator", "events", "--follow", "--port", cli.port, "--world", cli.aws.world]
    cli.aws.client("sts").get_caller_identity()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "GetCallerIdentity" in process.stdout.readline()
        # Until the stream is open what happens is not told, so go on until something is.
        other = cli.aws.client("iam")
        while process.poll() is None:
            other.list_users()
            if _has_line(process.stdout):
                break
        line = process.stdout.readline()
        process.terminate()
    assert "ListUsers" in line


def _has_line(stream) -> bool:
    import select

    return bool(select.select([stream], [], [], 0.2)[0])


def test_the_last_event_and_one_by_its_id_are_explained(cli: Cli):
    request = refused(cli.aws)
    told = cli("explain", request)
    assert told == cli("explain", "--last") == cli("explain")
    assert "AccessDenied" in told
    assert "identity" in told


def test_an_explanation_as_data(cli: Cli):
    refused(cli.aws)
    told = json.loads(cli("explain", "--json"))
    assert (told["operation"], told["outcome"], told["error"]["code"]) == ("AssumeRole", "denied", "AccessDenied")
    (decision,) = told["decisions"]
    assert decision["layer"] == "identity"


def test_a_proof_that_was_refused_is_in_the_data_too(cli: Cli):
    sts = cli.aws.client("sts")
    with pytest.raises(sts.exceptions.ClientError):
        sts.assume_role_with_web_identity(
            RoleArn="arn:aws:iam::111122223333:role/github-deploy",
            RoleSessionName="build",
            WebIdentityToken="not-a-token",
        )
    told = json.loads(cli("explain", "--json"))
    assert told["decisions"] == []
    assert told["error"]["code"] == "InvalidIdentityToken"
    assert f"no policy was asked: {told['evidence']['refused']}" in cli("explain", "--last")


def test_an_event_that_there_is_none_of(cli: Cli):
    assert "no event `0cfb1698`" in cli("explain", "0cfb1698", code=1)


# -- worlds ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(cli: Cli) -> Iterator[str]:
    name = f"cli-{os.getpid()}"
    yield name
    cli.capsys.readouterr()
    main(["world", "delete", name, "--port", cli.port])


def test_a_world_from_its_creation_to_its_end(cli: Cli, lab: str):
    endpoint = cli("world", "create", lab, "--scenario", str(EXAMPLES / "default.yaml"), world=False).strip()
    assert endpoint.endswith(f"/w/{lab}")
    assert json.loads(cli("world", "list", "--json", world=False))[lab] == endpoint
    heads, *rows = cli("world", "list", world=False).splitlines()
    assert heads.split() == ["WORLD", "ENDPOINT"]
    assert [lab, endpoint] in [row.split() for row in rows]
    assert json.loads(cli("env", "--format", "json", "--world", lab, world=False))["AWS_ENDPOINT_URL"] == endpoint
    cli("world", "delete", lab, world=False)
    assert lab not in cli("world", "list", world=False)


def test_worlds_that_cannot_be(cli: Cli, tmp_path: Path):
    (tmp_path / "typo.yaml").write_text("acounts: {}\n")
    make = ("world", "create")
    assert "exists" in cli(*make, cli.aws.world, world=False, code=1)
    assert "world names are lower-case letters" in cli(*make, "../etc", world=False, code=1)
    told = cli(*make, "typo", "--scenario", str(tmp_path / "typo.yaml"), world=False, code=1)
    assert told == "sts-emulator: scenario:1: unknown key `acounts`; did you mean `accounts`?\n"
    assert "typo" not in cli("world", "list", world=False)
    assert "no such file" in cli(*make, "typo", "--scenario", str(tmp_path / "none.yaml"), world=False, code=2)
    assert "no world `typo`" in cli("world", "delete", "typo", world=False, code=1)
    assert "the default world cannot be deleted" in cli("world", "delete", "default", world=False, code=1)


def test_time_passes_when_told_to(cli: Cli):
    sts = cli.aws.client("sts", user="alice")
    role = sts.assume_role(RoleArn="arn:aws:iam::111122223333:role/developer", RoleSessionName="alice")
    session = cli.aws.client("sts", role["Credentials"])
    session.get_caller_identity()
    cli("world", "advance", "59m30s")
    session.get_caller_identity()
    cli("world", "advance", "31")
    with pytest.raises(session.exceptions.ClientError) as caught:
        session.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "ExpiredToken"


# -- serve ----------------------------------------------------------------------------------------------------------


class Served:
    """`sts-emulator serve`, run in a folder of its own as a person would."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        command = [str(BIN / "sts-emulator"), "serve", "--port", "0", *options]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment()
        )
        self.told = self._announcement()
        self.port = int(self.told.splitlines()[0].rpartition(":")[2])

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder), "PATH": f"{BIN}:/usr/bin:/bin"}

    def _announcement(self) -> str:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            if line.startswith("ready"):
                break
            lines.append(line)
        return "".join(lines)

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        exports = "\n".join(line for line in self.told.splitlines() if line.strip().startswith("export"))
        return subprocess.run(
            ["bash", "-euc", f"{exports}\n{command}"],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def drop(self, name: str, text: str) -> None:
        """Put a file among the scenarios, as a whole."""
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.folder / "trust_policies" / name)

    def complaint(self) -> str:
        """The next line on standard error, which must come within half a minute."""
        with ThreadPoolExecutor(1) as reader:
            line = reader.submit(self.process.stderr.readline)
            try:
                return line.result(timeout=120)
            except TimeoutError:
                self.process.kill()
                raise

    def stop(self) -> tuple[str, str]:
        self.process.terminate()
        return self.process.communicate(timeout=120)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "trust_policies").mkdir()
    shutil.copy(EXAMPLES / "default.yaml", tmp_path / "trust_policies")
    server = Served(tmp_path)
    yield server
    if server.process.poll() is None:
        server.stop()


def test_serve_prints_credentials_and_what_to_paste(served: Served):
    assert f"sts-emulator serves 2 accounts on http://127.0.0.1:{served.port}" in served.told
    answer = served.shell("aws sts get-caller-identity --output text --query Arn")
    assert (answer.stdout, answer.stderr) == ("arn:aws:iam::111122223333:root\n", "")


@pytest.mark.parametrize("method", parse_file(EXAMPLES / "default.yaml").head.try_)
def test_every_command_that_serve_suggests_works(served: Served, method: str):
    commands = served.told.partition("then try:")[2].split("  # ")[1:]
    (command,) = (text.partition("\n")[2] for text in commands if text.partition("\n")[0] == method)
    ended = served.shell(command)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Arn" in ended.stdout


def test_a_dropped_file_is_taken_up_and_a_mistake_is_not(served: Served):
    served.drop(
        "new.yaml",
        'accounts: {"111122223333": {users: {zoe: {access_keys: {id: AKIAZOEEXAMPLEKEY01, secret: zoe}}}}}',
    )
    assert served.complaint() == "trust_policies/new.yaml: taken up\n"
    served.drop("new.yaml", 'accounts: {"111122223333": {users: {zoe: {acess_keys: }}}}')
    assert [served.complaint(), served.complaint()] == [
        "trust_policies/new.yaml:1: unknown key `acess_keys`; did you mean `access_keys`?\n",
        "trust_policies/new.yaml: not taken up; what was there before stays\n",
    ]
    sts = boto3.client(
        "sts",
        endpoint_url=f"http://127.0.0.1:{served.port}",
        region_name="us-east-1",
        aws_access_key_id="AKIAZOEEXAMPLEKEY01",
        aws_secret_access_key="zoe",
    )
    assert sts.get_caller_identity()["Arn"].endswith(":user/zoe")


def test_permissive_says_so_loudly(tmp_path: Path):
    server = Served(tmp_path, "--permissive")
    try:
        assert "PERMISSIVE" in server.told
    finally:
        server.stop()


def test_a_port_that_is_taken(served: Served):
    ended = served.shell(f"sts-emulator serve --port {served.port}")
    told = (
        f"sts-emulator: cannot listen on 127.0.0.1 port {served.port}: address already in use; an emulator runs there"
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(told)


def test_an_interrupt_ends_it_quietly(served: Served):
    import signal

    served.process.send_signal(signal.SIGINT)
    _, errors = served.process.communicate(timeout=120)
    assert "Traceback" not in errors


# -- which emulator -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("token", "github", "--repo", "acme/shop"),
        ("events", "--limit", "1"),
        ("world", "list"),
        ("world", "advance", "0"),
        ("env", "--format", "json"),
        ("workload", "list"),
    ],
)
def test_every_command_finds_the_emulator_by_the_endpoint_of_aws_clients(cli: Cli, monkeypatch, capsys, command):
    """As `eval "$(sts-emulator env)"` leaves it, the world included."""
    for name in ("EMULATOR_HOST", "EMULATOR_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cli.aws.endpoint_url)
    assert main(command) == 0
    told = capsys.readouterr().out
    if command[0] == "env":
        assert json.loads(told)["AWS_ENDPOINT_URL"] == cli.aws.endpoint_url
    # And a port that somebody says comes first, from a flag or a variable
    assert main([*command, "--port", "1"]) == 1
    monkeypatch.setenv("EMULATOR_PORT", "1")
    assert main(command) == 1
    assert capsys.readouterr().err.count("no emulator answers at http://127.0.0.1:1 ") == 2


def test_env_names_only_services_that_are_here():
    from sts_emulator.app import modules_by_service

    names = {"cognito-idp": "cognito-identity-provider"}  # botocore's name, and the service id that variables have
    there = {names.get(name, name).replace("-", "_").upper() for name in modules_by_service()}
    assert set(env.SERVICES) <= there
    # And a service with a credential provider of its own in SDKs is not forgotten once it is here
    own = {"SSO", "SSO_OIDC", "SIGNIN", "COGNITO_IDENTITY", "COGNITO_IDENTITY_PROVIDER"}
    assert own & there <= set(env.SERVICES)


# -- what was meant ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (("env", "--user", "alise"), "alice"),
        (("env", "--account", "111122223334"), "111122223333"),
        (("token", "gitlab", "--issuer", "gihub"), "github"),
        (("saml", "assert", "--user", "jan"), "there are jane, omar"),
        (("saml", "assert", "--user", "jane", "--idp", "crop"), "corp"),
        (("workload", "start", "ec2", "--name", "wep-1"), "web-1"),
        (("workload", "start", "ecs", "--name", "wroker"), "worker"),
        (("workload", "start", "lambda", "--name", "resise"), "resize"),
        (("workload", "stop", "wep-1"), "web-1"),
        (("sso", "config", "--user", "jayne"), "jane"),
        (("workload", "start", "ecs", "--role", "develper"), "developer"),
        (("exec", "--as", "ecs", "--role", "develper", "--", "true"), "developer"),
    ],
    ids=" ".join,
)
def test_names_that_are_nearly_there(cli: Cli, command: tuple[str, ...], meant: str):
    for file in ("saml.yaml", "workloads.yaml"):
        cli.aws.load((EXAMPLES / file).read_text("utf-8"))
    split = command.index("--") if "--" in command else len(command)
    where = ("--port", cli.port, "--world", cli.aws.world)
    assert main([*command[:split], *where, *command[split:]]) == 1
    told = cli.capsys.readouterr().err
    assert (meant if meant.startswith("there") else f"; did you mean `{meant}`?") in told


def test_a_world_that_is_nearly_there(cli: Cli):
    told = cli("events", "--world", f"{cli.aws.world}x", world=False, code=1)
    assert told == f"sts-emulator: no world `{cli.aws.world}x`; did you mean `{cli.aws.world}`?\n"
    told = cli("world", "delete", f"{cli.aws.world}x", world=False, code=1)
    assert told.endswith(f"; did you mean `{cli.aws.world}`?\n")


def test_a_device_that_is_nearly_there(cli: Cli):
    iam = cli.aws.client("iam")
    arn = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
    told = cli("mfa", "code", arn.replace("phone", "fone"), code=1)
    assert told.endswith(f"; did you mean `{arn}`?\n")


def test_a_person_who_is_nearly_there(cli: Cli):
    wish = {"clientName": "test", "clientType": "public", "scopes": ["sso:account:access"]}
    client = cli.aws.page("POST", "client/register", body=wish)
    asked = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
    start = {"startUrl": "https://d-9067000000.awsapps.com/start"}
    code = cli.aws.page("POST", "device_authorization", body={**asked, **start})["userCode"]
    assert cli("approve", code, "--user", "jayne", code=1).endswith("no user `jayne`; did you mean `jane`?\n")

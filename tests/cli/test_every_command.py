"""What holds for every command: its answer can be had as JSON, and nothing hostile reaches a terminal."""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sts_emulator import Aws
from sts_emulator.cli.main import COMMANDS, main, parser_of

ROOT = Path(__file__).parents[2]
WITHOUT_JSON = {
    "serve": "it goes on until it is stopped; `start --json` tells where it is",
    "logs": "it prints what another program has printed; `events --json` tells of calls",
    "exec": "what it prints is its command's",
    "completion": "it prints a program",
}
EVIL = "x\x1b]0;PWNED\x07\x1b[31m\u009b31m\u202e\r\nfake line"
"""A title, a colour, a bell, a C1 code, a text turned round and a line of its own."""


def leaves(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command, with those below a command instead of it."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for name, child in action.choices.items():
            yield from leaves(child, (*words, name))
    if not below:
        yield " ".join(words), parser


def flags(parser: argparse.ArgumentParser) -> set[str]:
    return {flag for action in parser._actions for flag in action.option_strings}


def test_every_command_has_json_or_a_reason_against_it():
    commands = dict(leaves(parser_of([])))

    assert {name.split()[0] for name in commands} == set(COMMANDS)
    assert {name for name, parser in commands.items() if "--json" not in flags(parser)} == set(WITHOUT_JSON)


# -- the answers ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run: scenarios, a plan and a lab PKI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree(ROOT / "trust_policies", "trust_policies")
    Path("certs").mkdir()
    Path("certs/pki.yaml").write_text(PKI)
    Path("trust.json").write_text(TRUST)
    return tmp_path


PKI = """
authorities:
  root: {subject: {CN: Root}}
certificates:
  web: {issuer: root, subject: {CN: web}}
"""
TRUST = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
"Principal": {"AWS": "arn:aws:iam::444455556666:root"}}]}"""


@pytest.fixture
def shell(aws: Aws, folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command line in that folder, pointed at one world; gives what it prints."""
    assert folder == Path.cwd()
    aws.load((ROOT / "trust_policies" / "saml.yaml").read_text("utf-8"))
    aws.client("sts").get_caller_identity()  # an event

    def run(command: str, *options: str) -> str:
        words = [PLACES[word](aws) if word in PLACES else word.format(world=aws.world) for word in command.split()]
        (known,) = (
            flags(parser) for name, parser in leaves(parser_of(words[:1])) if f"{command} ".startswith(f"{name} ")
        )
        where = ["--port", str(urlsplit(aws.endpoint_url).port)] if "--host" in known else []
        where += ["--world", aws.world] if "--world" in known else []
        main([*words, *options, *where])
        captured = capsys.readouterr()
        assert not captured.err, captured.err
        return captured.out

    return run


def device(aws: Aws) -> str:
    """A virtual MFA device."""
    made = aws.client("iam").create_virtual_mfa_device(VirtualMFADeviceName=f"device-{secrets.token_hex(4)}")
    return str(made["VirtualMFADevice"]["SerialNumber"])


def instance(aws: Aws) -> str:
    """An instance that runs."""
    made = aws.client("ec2").run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


def code(aws: Aws) -> str:
    """What a tool shows that waits for somebody to sign in at Identity Center."""
    wish = {"clientName": "test", "clientType": "public", "scopes": ["sso:account:access"]}
    client = aws.page("POST", "client/register", body=wish)
    body = {name: client[name] for name in ("clientId", "clientSecret")}
    start = {"startUrl": "https://d-9067000000.awsapps.com/start"}
    return str(aws.page("POST", "device_authorization", body={**body, **start})["userCode"])


PLACES = {"{token}": lambda aws: aws.token("github"), "{device}": device, "{instance}": instance, "{code}": code}

ANSWERS = (
    *("status", "env", "inspect {token}", "explain --last", "imds {instance}", "mfa code {device}"),
    *("approve {code} --user jane", "sso config", "sso scim", "saml assert --user jane"),
    *("token github", "token plain", "workload list", "workload start ecs --role Analyst", "workload stop {instance}"),
    *("world create {world}-b", "world delete {world}-b", "world advance 1s", "world eventual-consistency 0"),
    *("world list", "check trust_policies/default.yaml", "lint trust_policies/default.yaml", "lint --rules"),
    *("diff trust_policies/default.yaml trust_policies/saml.yaml", "import trust.json"),
    *("who-can developer trust_policies/default.yaml", "what-can alice trust_policies/default.yaml"),
    *("certs generate", "certs list", "certs server", "access --token a-token-of-the-server --read"),
    *("choose --who program --takes keys", "choose --list", "lab list"),
)


@pytest.mark.parametrize("command", ANSWERS)
def test_the_answer_is_json(shell, command: str):
    if command.startswith("world delete"):
        shell("world create {world}-b")
    json.loads(shell(command, "--json"))


def test_a_revoked_certificate_is_json_too(shell):
    shell("certs generate")
    assert json.loads(shell("certs revoke web", "--json"))["crl"] == "certs/root.crl"
    (web,) = [row for row in json.loads(shell("certs list", "--json")) if row["name"] == "web"]
    assert web["status"] == "revoked"


@pytest.mark.parametrize("command", ["events", "messages"])
def test_what_may_be_endless_is_json_line_by_line(shell, command: str):
    for line in shell(command, "--json").splitlines():
        json.loads(line)


def test_all_answers_are_tried():
    """But those of a token's many kinds, of which two are."""
    elsewhere = {"least-privilege"}  # which takes a recording: tests/gateway/test_least_privilege.py
    elsewhere |= {"lab", "class"}  # which take worlds of their own: tests/labs/test_learning.py, test_class.py
    elsewhere |= {"credential-process"}  # which takes a certificate: tests/methods/roles_anywhere
    begun = {*ANSWERS, *elsewhere, "certs revoke", "events", "messages", "start", "stop"}
    missing = [
        name
        for name, parser in leaves(parser_of([]))
        if "--json" in flags(parser)
        and not any(answer.startswith(name) for answer in begun)
        and name.split()[0] not in elsewhere
    ]
    assert [name for name in missing if not name.startswith("token ")] == []


# -- tables -----------------------------------------------------------------------------------------------------------

LISTS = (
    *("certs list", "workload list", "world list", "who-can developer trust_policies/default.yaml"),
    "what-can token.actions.githubusercontent.com trust_policies/default.yaml",
)


@pytest.mark.parametrize("command", LISTS)
def test_a_table_fits_its_terminal_and_is_whole_when_asked(shell, aws: Aws, monkeypatch, command: str):
    shell("certs generate")
    instance(aws)
    monkeypatch.setenv("COLUMNS", "0")
    whole = shell(command)
    for columns in (80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = shell(command).splitlines()
        assert max(map(len, lines)) <= columns
        assert lines[0].split()[0] == whole.split()[0]  # the head
    monkeypatch.setenv("COLUMNS", "80")
    assert {word for word in whole.split() if "arn:" in word or aws.world in word} <= {
        *shell(command, "--wide").split()
    }


# -- hostile names ----------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(aws: Aws, folder: Path) -> Path:
    """A folder and a world in which whatever others choose is hostile."""
    shutil.rmtree("trust_policies")
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::444455556666:role/{EVIL}"},
    }
    condition = {"StringEquals": {f"aws:PrincipalTag/{EVIL}": EVIL}}
    trust = {"Version": "2012-10-17", "Statement": [{**statement, "Sid": EVIL, "Condition": condition}]}
    Path("trust.json").write_text(json.dumps(trust))
    role = {"name": EVIL, "assume_role_policy": json.dumps(trust), "arn": f"arn:aws:iam::111122223333:role/{EVIL}"}
    resource = {
        "address": f"aws_iam_role.{EVIL}",
        "mode": "managed",
        "type": "aws_iam_role",
        "name": EVIL,
        "values": role,
    }
    plan = {"format_version": "1.2", "planned_values": {"root_module": {"resources": [resource]}}}
    Path("plan.json").write_text(json.dumps(plan))
    Path("scenario.yaml").write_text(json.dumps({"accounts": {"111122223333": {"roles": {EVIL: {"trust": trust}}}}}))
    named = Path(f"{EVIL.replace('/', '')}.json")
    named.write_text(json.dumps(trust))
    sts = aws.client("sts")
    with pytest.raises(sts.exceptions.ClientError):
        sts.assume_role_with_web_identity(
            RoleArn="arn:aws:iam::111122223333:role/github-deploy", RoleSessionName="ci", WebIdentityToken=forged()
        )
    return folder


def forged() -> str:
    """A token whose every claim is hostile."""
    parts = ({"alg": "none", "kid": EVIL}, {"iss": f"https://{EVIL}", "sub": EVIL, "aud": EVIL, EVIL: EVIL})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


CREDENTIAL_PROCESS = ("--certificate", "--private-key", "--role-arn", "--trust-anchor-arn", "--profile-arn")
HOSTILE = (
    *(("events",), ("explain",), ("inspect", forged()), ("inspect", f"<Response>{EVIL}</Response>"), ("inspect", EVIL)),
    *((command, file) for command in ("lint", "check", "import", "explain") for file in ("trust.json", "plan.json")),
    *((command, "scenario.yaml") for command in ("lint", "check", "explain")),
    *(("lint", "."), ("check", "."), ("diff", "trust.json", "plan.json"), ("diff", "plan.json", "trust.json")),
    *(("who-can", EVIL, "plan.json"), ("what-can", "444455556666", "plan.json"), ("what-can", EVIL, "plan.json")),
    *(("who-can", EVIL, "trust.json"), ("check", EVIL), ("lint", EVIL), ("import", EVIL), ("explain", EVIL)),
    *(("lint", "--select", EVIL), ("env", "--user", EVIL), ("env", "--account", EVIL), ("mfa", "code", EVIL)),
    *(("token", "github", "--issuer", EVIL), ("token", "cognito", "--user", EVIL), ("approve", EVIL, "--user", EVIL)),
    *(("saml", "assert", "--user", EVIL, "--idp", EVIL), ("sso", "config", "--user", EVIL), ("world", "create", EVIL)),
    *(("world", "delete", EVIL), ("world", "advance", EVIL), ("workload", "stop", EVIL), ("imds", EVIL)),
    *(("workload", "start", "ecs", "--role", EVIL), ("exec", "--as", "ecs", "--role", EVIL, "--", "true")),
    *(
        ("status", "--host", EVIL),
        ("certs", "--folder", EVIL),
        ("serve", "--scenario", EVIL),
        ("start", "--host", EVIL),
    ),
    *(
        ("stop", "--host", EVIL),
        ("logs", "--host", EVIL),
        ("least-privilege", EVIL, EVIL),
        ("least-privilege", "trust.json", EVIL),
        ("messages", "--to", EVIL),
        (EVIL,),
        ("lint", f"--{EVIL}"),
    ),
    *(
        ("completion", EVIL),
        ("access", "--token", "a-token-of-the-server", "--world", EVIL),
        ("choose", "--who", EVIL),
        ("lab", "start", EVIL),
        ("lab", "lint", EVIL),
        ("lab", "predict", "assume-role", EVIL, "deny", "--layer", EVIL),
        ("class", "status", "--name", EVIL),
        ("credential-process", *(word for option in CREDENTIAL_PROCESS for word in (option, EVIL))),
        ("certs", "revoke", EVIL),
        ("events", "--outcome", EVIL),
        ("sso", "scim", "--instance", EVIL),
    ),
)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("words", HOSTILE, ids=lambda words: " ".join(words).encode("unicode_escape").decode()[:60])
def test_no_escape_sequence_reaches_a_terminal(aws: Aws, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]):
    with contextlib.suppress(SystemExit):  # argparse's
        names = [name for name in COMMANDS if name == words[0]]
        known = [flags(parser) for _, parser in leaves(parser_of(words[:1]))] if names else []
        reaching = any("--host" in options for options in known) and "--host" not in words and words[0] != "serve"
        where = ["--port", str(urlsplit(aws.endpoint_url).port)] if reaching else []
        where += ["--world", aws.world] if reaching and any("--world" in options for options in known) else []
        split = words.index("--") if "--" in words else len(words)
        main([*words[:split], *where, *words[split:]])
    captured = capsys.readouterr()

    assert captured.out + captured.err or words[0] == "messages"
    for line in (captured.out + captured.err).split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("fake line")


def test_every_command_meets_hostile_names():
    assert {words[0] for words in HOSTILE} >= set(COMMANDS)

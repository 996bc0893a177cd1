"""`make demo`: the eight ways to get credentials, each used on S3 behind the door, each refused once, with the reason.

Starts moto and an emulator before it (`serve --upstream`), runs the commands of each story, and stops both. Nothing
leaves this machine. `python examples/demo/stories.py 5` runs the fifth story alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sts_emulator import Aws, Emulator

ROOT = Path(__file__).parents[2]
DEV = "arn:aws:iam::111122223333"
POOL = "us-east-1:0f2c7a3e-5b1d-4c8e-9a6f-3d2b1c0e9f8a"
BUCKETS = ("drafts", "assets", "reports", "projects", "shop-site", "phone", "backup")
PRELUDE = """\
use() { read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<< "$1"
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN; }
keys='Credentials.[AccessKeyId,SecretAccessKey,SessionToken]'
"""


@dataclass(frozen=True)
class Story:
    """A way to get credentials (`first`), and what they are used for then: what goes, and what is refused."""

    title: str
    first: str
    goes: str
    refused: str
    person: str = ""  # of Identity Center, who has signed in


STORIES = (
    Story(
        "1 IAM user access keys: a developer's laptop",
        'eval "$(sts-emulator env --user dana)"',
        "aws s3 cp note.txt s3://acme-drafts/dana/note.txt",
        "aws s3 cp note.txt s3://acme-drafts/erik/note.txt",
    ),
    Story(
        "2 Instance profile: nothing to manage",
        "",
        "sts-emulator exec --as ec2 --role web -- aws s3 cp s3://acme-assets/note.txt -",
        "sts-emulator exec --as ec2 --role web -- aws s3 cp note.txt s3://acme-assets/note.txt",
    ),
    Story(
        "3 IAM Identity Center: jane has signed in with `aws sso login`",
        "",
        "aws s3 ls s3://acme-reports",
        "aws iam create-user --user-name mallory",
        person="jane",
    ),
    Story(
        "4 AssumeRole: for one project",
        f'use "$(eval "$(sts-emulator env --user heidi)"; aws sts assume-role --role-arn {DEV}:role/project-worker '
        '--role-session-name plan --tags Key=project,Value=apollo --query "$keys" --output text)"',
        "aws s3 cp note.txt s3://acme-projects/apollo/note.txt",
        "aws s3 cp note.txt s3://acme-projects/gemini/note.txt",
    ),
    Story(
        "5 OIDC federation: a GitHub Actions job on main",
        f"export AWS_ROLE_ARN={DEV}:role/github-branch AWS_ROLE_SESSION_NAME=build AWS_WEB_IDENTITY_TOKEN_FILE=token; "
        "sts-emulator token github --repo acme/shop --ref refs/heads/main > token",
        "aws s3 cp note.txt s3://acme-shop-site/index.html",
        "aws s3 rm s3://acme-shop-site/index.html",
    ),
    Story(
        "6 SAML federation: an employee with the role Analyst",
        f'use "$(aws --no-sign-request sts assume-role-with-saml --role-arn {DEV}:role/Analyst '
        f"--principal-arn {DEV}:saml-provider/corp "
        '--saml-assertion "$(sts-emulator saml assert --user omar --role Analyst)" --query "$keys" --output text)"',
        "aws s3 cp s3://acme-reports/note.txt -",
        "aws s3 cp note.txt s3://acme-reports/note.txt",
    ),
    Story(
        "7 Cognito: a user of a phone app, in a folder of their own",
        "token=$(sts-emulator token cognito --user ben); "
        "login=cognito-idp.us-east-1.amazonaws.com/us-east-1_PhoneApp1=$token; "
        f"id=$(aws --no-sign-request cognito-identity get-id --identity-pool-id {POOL} --logins $login "
        "--query IdentityId --output text); "
        'use "$(aws --no-sign-request cognito-identity get-credentials-for-identity --identity-id $id --logins $login '
        "--query 'Credentials.[AccessKeyId,SecretKey,SessionToken]' --output text)\"",
        "aws s3 cp note.txt s3://acme-phone/users/$id/note.txt",
        "aws s3 cp note.txt s3://acme-phone/users/somebody-else/note.txt",
    ),
    Story(
        "8 Roles Anywhere: a server on premises, by its certificate",
        "export AWS_CONFIG_FILE=anywhere.ini; printf '[default]\\ncredential_process = %s %s\\n' "
        f'"{sys.executable}" "{Path(__file__).with_name("certificate.py")} $TLS_PORT" > anywhere.ini',
        "aws s3 cp note.txt s3://acme-backup/web-01.lab.example/note.txt",
        "aws s3 cp note.txt s3://acme-backup/web-02.lab.example/note.txt",
    ),
)


def main() -> int:
    """Run the stories, or those whose numbers are given; 0 if each went as told."""
    chosen = [story for story in STORIES if not sys.argv[1:] or story.title[0] in sys.argv[1:]]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("trust_policies", "certs"):
            shutil.copytree(ROOT / name, folder / name)
        subprocess.run(
            [sys.executable, "-m", "sts_emulator", "certs"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        upstream = stack.enter_context(_server(folder, "moto.server", "-H", "127.0.0.1", "-p", "{port}"))
        tls_port = str(_free_port())
        door = stack.enter_context(
            _server(
                folder,
                "sts_emulator",
                "serve",
                "--upstream",
                upstream,
                "--scenario",
                "trust_policies",
                "--tls-port",
                tls_port,
                "--port",
                "{port}",
            )
        )
        aws = Aws(Emulator(door).control(), "default")
        _fill(aws, folder)
        wrong = [
            story.title
            for story in chosen
            if not _told(story, aws, _environment(aws, door, story) | {"TLS_PORT": tls_port}, folder)
        ]
    print(
        "\n".join(["", *(f"did not go as told: {title}" for title in wrong)]) if wrong else "\nall of it went as told"
    )
    return len(wrong)


def _told(story: Story, aws: Aws, environment: Mapping[str, str], folder: Path) -> bool:
    """Whether a story went as it is told; prints it."""
    print(f"\n\033[1m{story.title}\033[0m", flush=True)
    if story.first:
        print(f"$ {story.first}")
    went = _run(story, story.goes, environment, folder) == 0
    before = aws.explain("last")
    failed = _run(story, story.refused, environment, folder) != 0
    why = aws.explain("last")
    refused = failed and why != before and "DENIED" in why
    print(why if refused else "  it was not refused")
    return went and refused


def _run(story: Story, command: str, environment: Mapping[str, str], folder: Path) -> int:
    print(f"$ {command}", flush=True)
    script = f"{PRELUDE}\n{story.first}\n{command}"
    return subprocess.run(["bash", "-c", script], env=dict(environment), cwd=folder, check=False).returncode


def _environment(aws: Aws, door: str, story: Story) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    kept |= {"AWS_ENDPOINT_URL": door, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "false"}
    return kept | (aws.sso_login(story.person, "111122223333", "Developer") if story.person else {})


def _fill(aws: Aws, folder: Path) -> None:
    """The buckets, as the account's root, and a file to copy."""
    (folder / "note.txt").write_text("hello\n")
    s3 = aws.client("s3")
    for name in BUCKETS:
        s3.create_bucket(Bucket=f"acme-{name}")
        s3.put_object(Bucket=f"acme-{name}", Key="note.txt", Body=b"hello\n")


@contextmanager
def _server(folder: Path, module: str, *arguments: str) -> Iterator[str]:
    """A server in a process of its own, once it answers: its URL."""
    port = str(_free_port())
    command = [sys.executable, "-m", module, *(argument.format(port=port) for argument in arguments)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None and not _answers(url):
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/health", timeout=30).close()
    except urllib.error.HTTPError:
        return True  # moto has no such page
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())

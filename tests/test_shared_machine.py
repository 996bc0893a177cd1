"""Where a token is asked for, who has a world is no user of the machine: nothing they name has the server try its ports.

An open port and a closed one are told alike, and nobody comes to the open one. docs/security.md says what else there is.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from botocore.exceptions import ClientError

from sts_emulator import Aws
from sts_emulator.cli.control import Control, ControlError
from sts_emulator.pages.tokens import derived
from sts_emulator.shared_server import free_port

TOKEN = "a-token-of-the-school-server"
ROLE = "arn:aws:iam::111122223333:role/reader"
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:hook"
SCENARIO = """
accounts:
  "111122223333":
    roles:
      reader:
        trust:
          - {Effect: Allow, Principal: {Federated: accounts.google.com}, Action: "sts:AssumeRoleWithWebIdentity"}
"""


@pytest.fixture
def ports() -> Iterator[tuple[int, int, socket.socket]]:
    """An open port of this machine, a closed one, and the socket of the open one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening.getsockname()[1], free_port(), listening


@pytest.fixture(scope="module")
def server(request, serve) -> Iterator[str]:
    with serve("--scenario", "/dev/null", "--token", TOKEN, *getattr(request, "param", ())) as (url, _):
        yield url


@pytest.fixture
def ada(server) -> Iterator[Aws]:
    """A world, for whoever has its token and no other."""
    with closing(Control(server, TOKEN)) as teacher:
        teacher.api("POST", "worlds", body={"name": "ada"})
        with closing(Control(server, derived(TOKEN, "ada"))) as api, closing(Aws(api, "ada")) as world:
            world.load(SCENARIO)
            yield world
        teacher.api("DELETE", "worlds", "ada")


def ask_an_issuer(aws: Aws, port: int) -> str:
    issuer = f"http://127.0.0.1:{port}"
    aws.client("iam").create_open_id_connect_provider(Url=issuer, ClientIDList=["app"])
    parts = ({"alg": "RS256", "kid": "1"}, {"iss": issuer, "aud": "app", "sub": "x", "iat": 1, "exp": 9_999_999_999})
    token = ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "AA"]
    )
    with pytest.raises(ClientError) as refused:
        aws.client("sts").assume_role_with_web_identity(
            RoleArn=ROLE, RoleSessionName="somebody", WebIdentityToken=token
        )
    return f"{refused.value} {aws.events()[-1]['additionalEventData']['evidence']['refused']}"


def set_a_hook(aws: Aws, port: int) -> str:
    with pytest.raises(ControlError) as refused:
        aws.hooks({FUNCTION: f"http://127.0.0.1:{port}/"})
    return str(refused.value)


def declare_a_hook(aws: Aws, port: int) -> str:
    with pytest.raises(ControlError) as refused:
        aws.load(json.dumps({"hooks": {FUNCTION: f"http://127.0.0.1:{port}/"}}))
    return str(refused.value)


def open_a_listener(aws: Aws, port: int) -> str:
    with pytest.raises(ControlError) as refused:
        aws._api("POST", "listeners", body={"kind": "ecs", "port": port})
    return str(refused.value)


@pytest.mark.parametrize("ask", [ask_an_issuer, set_a_hook, declare_a_hook, open_a_listener])
def test_an_open_port_and_a_closed_one_are_told_alike_and_nobody_comes(ada, ports, ask: Callable[[Aws, int], str]):
    opened, closed, listening = ports
    assert ask(ada, opened).replace(str(opened), "N") == ask(ada, closed).replace(str(closed), "N")
    with pytest.raises(BlockingIOError):
        listening.accept()


@pytest.mark.parametrize("server", [("--hook-host", "127.0.0.1", "--fetch-issuers", "loopback")], indirect=True)
def test_whoever_runs_the_server_may_allow_it(server, ada, ports):
    _, closed, _ = ports
    assert "cannot be reached" in ask_an_issuer(ada, closed)
    ada.hooks({FUNCTION: f"http://127.0.0.1:{closed}/"})
    with closing(Control(server, TOKEN)) as teacher:
        opened = teacher.api("POST", "worlds", "ada", "listeners", body={"kind": "ecs", "port": closed})
    assert opened["port"] == closed

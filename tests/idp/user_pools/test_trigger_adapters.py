"""Who plays a trigger: a hook that misbehaves, a Lambda endpoint, a Python function, and who may not."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hook_server import HookServer, RawAnswerError
from pool_lab import new_pool
from test_triggers import answering, refusing, same, sign_up

from sts_emulator.emulation import Emulator
from sts_emulator.idp.user_pools.triggers import callables

HERE = Path(__file__).parent
UNRECOGNIZABLE = ("InvalidLambdaResponseException", "Unrecognizable lambda output")
NO_JSON = ("InvalidLambdaResponseException", "Invalid lambda function output : Invalid JSON")
DENIED = ("UnexpectedLambdaException", "PreAuthentication invocation failed due to error AccessDeniedException.")
SLOW = (
    "UnexpectedLambdaException",
    "PreAuthentication invocation failed due to error Socket timeout while invoking Lambda function.",
)


def raw(status: int, body: bytes = b"", **headers: str):
    def function(_: dict) -> None:
        raise RawAnswerError(status, body, **headers)

    return function


def changing(**members):
    def function(event: dict) -> dict:
        return {**event, **members}

    return function


# -- hooks that misbehave --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        changing(userName="eve"),
        changing(userPoolId="us-east-1_other"),
        changing(callerContext={"awsSdkVersion": "x", "clientId": "other"}),
        changing(triggerSource="PostAuthentication_Authentication"),
        changing(response=None),
        changing(response=[]),
        lambda _event: {},
        lambda _event: [],
        lambda _event: None,
        lambda _event: "ok",
    ],
)
def test_an_answer_about_something_else(app, hooks, refusal, function):
    hooks.play(app, PreAuthentication=function)
    assert refusal(app.sign_in) == UNRECOGNIZABLE


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"{", b"\xff\xfe", b"[" * 100_000, b'{"response": "' + b"x" * 10_000_000 + b'"}']
)
def test_an_answer_that_is_no_json_or_far_too_long(app, hooks, refusal, body):
    hooks.play(app, PreAuthentication=raw(200, body))
    assert refusal(app.sign_in) == NO_JSON


def test_a_redirect_is_not_followed(app, hooks, refusal):
    hooks.play(app, PreAuthentication=raw(307, location=f"{hooks.url}/elsewhere"))
    hooks.functions["/elsewhere"] = same
    assert refusal(app.sign_in) == DENIED
    assert len(hooks.events) == 1


def test_an_error_is_told_without_what_could_forge_a_header(app, hooks, refusal):
    hooks.play(app, PreAuthentication=refusing("a\r\nX-Forged: yes\x00"))
    told = refusal(app.sign_in)
    assert told[1] == "PreAuthentication failed with error a X-Forged: yes ."
    hooks.play(app, PreAuthentication=raw(503))
    assert refusal(app.sign_in)[1] == "PreAuthentication failed with error HTTP 503."


def test_nobody_there(app, hooks, refusal):
    hooks.play(app, PreAuthentication=same)
    app.aws.hooks({})
    assert refusal(app.sign_in) == DENIED
    assert "nothing here plays" in app.aws.events()[-1]["additionalEventData"]["evidence"]["refused"]
    app.aws.hooks({hooks.arn("PreAuthentication"): "http://127.0.0.1:9/hook"})
    assert refusal(app.sign_in) == DENIED


def test_an_event_tells_what_was_asked_and_answered_and_no_secret(app, hooks, refusal):
    def migrate(event: dict) -> dict:
        assert event["request"]["password"] == "Secret-horse-1"
        event["response"] = {"userAttributes": {"email": "x" * 5_000}}
        return event

    hooks.play(app, UserMigration=migrate)
    assert refusal(app.sign_in, user="old", password="Secret-horse-1")[0] == "UserNotFoundException"
    event = app.aws.events()[-1]
    assert "Secret-horse-1" not in json.dumps(event)
    (told,) = event["additionalEventData"]["evidence"]["triggers"]
    assert told["source"] == "UserMigration_Authentication"
    assert told["function"] == hooks.arn("UserMigration")
    assert "HIDDEN" in told["request"]
    assert len(told["response"]) < 2_200


# -- hooks that do not answer ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server_of_triggers(serve, request):
    """A server whose triggers have `request.param` seconds."""
    with serve("--trigger-patience", str(request.param), "--triggers", str(HERE / "triggers.py")) as (url, _):
        yield Emulator(url)


@pytest.fixture
def patient(server_of_triggers):
    """An app of that server."""
    with server_of_triggers.world() as aws:
        yield app_of(aws)


def app_of(aws):
    app = new_pool(aws)
    app.add_user("ada")
    return app


@pytest.mark.parametrize("server_of_triggers", [1], indirect=True)
def test_a_hook_that_hangs_is_given_up(patient, hooks, refusal):
    released = threading.Event()

    def hanging(event: dict) -> dict:
        released.wait(120)
        return event

    hooks.play(patient, PreAuthentication=hanging)
    try:
        assert refusal(patient.sign_in) == SLOW
        assert 0 < len(hooks.events) <= 3  # tries
    finally:
        released.set()


@pytest.mark.parametrize("server_of_triggers", [120], indirect=True)
def test_nobody_else_waits_for_a_hook(patient, hooks):
    """Neither others of the same world, who write, nor the control API."""
    asked, released = threading.Event(), threading.Event()

    def waiting(event: dict) -> dict:
        asked.set()
        released.wait(120)
        return event

    hooks.play(patient, PreAuthentication=waiting)
    result: list[dict] = []
    thread = threading.Thread(target=lambda: result.append(patient.sign_in()))
    thread.start()
    try:
        assert asked.wait(120)
        other = new_pool(patient.aws)
        other.add_user("bob")
        assert other.tokens("bob")["IdToken"]
        assert patient.aws.events()
    finally:
        released.set()
        thread.join()
    assert result[0]["AuthenticationResult"]["IdToken"]


@pytest.fixture
def wire():
    """`wire(head, piece)`: the URL of a server that answers with a head, and then one piece after another for good."""
    closing: list[contextlib.AbstractContextManager] = []

    def serving(head: bytes, piece: bytes, pause: float = 0.0) -> str:
        stack = contextlib.ExitStack()
        closing.append(stack)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        over = threading.Event()

        def answer(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.recv(65_536)
                connection.sendall(head)
                while not over.wait(pause):
                    connection.sendall(piece)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        stack.callback(over.set)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/hook"

    yield serving
    for stack in closing:
        stack.close()


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


DRIPS = {
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "body": (b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n", b" "),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "no-http": (b"", b"H"),
    "not-yet": (b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"),
}


@pytest.mark.parametrize("server_of_triggers", [1], indirect=True)
def test_an_answer_that_drips_is_given_up(patient, refusal, wire):
    """Each piece comes soon after the one before: what counts is the time of the whole. All wait at the same time."""
    patient.aws.hooks({HookServer.arn(name): wire(*drip, pause=0.2) for name, drip in DRIPS.items()})
    apps = [app_of(patient.aws) for _ in DRIPS]
    for app, name in zip(apps, DRIPS, strict=True):
        named(app, "PreAuthentication", name)
    with ThreadPoolExecutor(len(apps)) as threads:
        told = list(threads.map(lambda app: refusal(app.sign_in), apps))
    assert set(told) <= {SLOW, DENIED}, dict(zip(DRIPS, told, strict=True))
    assert patient.aws.events()  # and the server goes on


@pytest.mark.parametrize(
    ("head", "piece", "told"),
    [
        (CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n", NO_JSON),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536, NO_JSON),
        (b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 60_000 + b"\r\n", DENIED),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y" * 65_536, DENIED),
    ],
    ids=["chunks", "body", "headers", "one header"],
)
def test_an_answer_without_an_end_is_cut_off(app, refusal, wire, head, piece, told):
    named(app, "PreAuthentication", "before")
    app.aws.hooks({HookServer.arn("before"): wire(head, piece)})
    assert refusal(app.sign_in) == told


# -- a Lambda endpoint -----------------------------------------------------------------------------------------------


@pytest.fixture
def endpoint(app, hooks):
    """`endpoint(function)`: a Lambda endpoint plays PreAuthentication by it."""
    path = "/2015-03-31/functions/before/invocations"

    def playing(function) -> None:
        hooks.play(app, PreAuthentication=same)
        hooks.functions[path] = function
        app.aws.hooks({hooks.arn("PreAuthentication"): f"{hooks.url}{path}"})

    return playing


def test_a_lambda_endpoint_invokes(app, hooks, endpoint):
    endpoint(same)
    assert app.tokens()
    assert hooks.events[0]["triggerSource"] == "PreAuthentication_Authentication"


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (
            raw(200, b'{"errorMessage": "no", "errorType": "Error"}', x_amz_function_error="Unhandled"),
            ("UserLambdaValidationException", "PreAuthentication failed with error no."),
        ),
        (
            raw(200, b'{"errorMessage": "no", "errorType": "Error"}'),
            ("UserLambdaValidationException", "PreAuthentication failed with error no."),
        ),
        (raw(404, b'{"Message": "Function not found"}'), DENIED),
        (raw(429), DENIED),
        (raw(200, b"null"), UNRECOGNIZABLE),
    ],
)
def test_what_a_lambda_endpoint_may_say(app, endpoint, refusal, function, told):
    endpoint(function)
    assert refusal(app.sign_in) == told


# -- Python ----------------------------------------------------------------------------------------------------------


def named(app, trigger: str, function: str) -> None:
    app.admin.update_user_pool(UserPoolId=app.pool, LambdaConfig={trigger: HookServer.arn(function)})


@pytest.mark.parametrize("server_of_triggers", [120], indirect=True)
def test_functions_of_a_module_that_the_command_line_names(patient, refusal):
    named(patient, "PreSignUp", "pre-sign-up")
    assert sign_up(patient)["UserConfirmed"] is True
    named(patient, "PreTokenGeneration", "handler")
    assert patient.claims(patient.tokens()["IdToken"])["played"] == "by Python"
    named(patient, "PreAuthentication", "later")
    assert patient.tokens()
    named(patient, "PreAuthentication", "failing")
    assert refusal(patient.sign_in)[1] == "PreAuthentication failed with error no X-Forged: yes."
    named(patient, "PreAuthentication", "leaving")
    assert refusal(patient.sign_in)[1] == "PreAuthentication failed with error it leaves."
    named(patient, "PreAuthentication", "nothing")
    assert refusal(patient.sign_in) == UNRECOGNIZABLE
    for no_answer in ("strange", "huge"):
        named(patient, "PreAuthentication", no_answer)
        assert refusal(patient.sign_in) == NO_JSON
    for elsewhere in ("run", "Any", "__import__", "no-such"):
        named(patient, "PreAuthentication", elsewhere)
        assert refusal(patient.sign_in) == DENIED


@pytest.mark.parametrize("server_of_triggers", [1], indirect=True)
def test_a_python_function_without_an_end(patient, refusal):
    named(patient, "PreAuthentication", "endless")
    assert refusal(patient.sign_in) == SLOW
    named(patient, "PreAuthentication", "later")
    assert patient.tokens()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_functions_that_hang_keep_nobody_from_signing_in_nor_the_server_from_ending(serve, refusal, told):
    with serve("--trigger-patience", "1", "--triggers", str(HERE / "triggers.py")) as (url, process):
        with Emulator(url).world() as aws:
            hanging, well = app_of(aws), app_of(aws)
            named(hanging, "PreAuthentication", "endless")
            named(well, "PreAuthentication", "later")
            calls = callables.MOST // 2  # three tries each: more than may hang, and fewer than are waited for
            with ThreadPoolExecutor(calls) as threads:
                assert set(threads.map(lambda _: refusal(hanging.sign_in), range(calls))) == {SLOW}
            assert refusal(hanging.sign_in) == SLOW
            refused = aws.events()[-1]["additionalEventData"]["evidence"]["refused"]
            assert (
                refused
                == f"PreAuthentication: {callables.MOST} calls of endless have not come to an end: start the server anew"
            )
            assert well.tokens()
        process.send_signal(told)
        assert process.wait(timeout=60) is not None  # or never


def test_without_the_command_line_no_python_is_called(app, refusal):
    named(app, "PreAuthentication", "pre-sign-up")
    assert refusal(app.sign_in) == DENIED


# -- which URLs may be hooks -----------------------------------------------------------------------------------------

ARN = HookServer.arn("x")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://example.org/hook",
        "http://127.0.0.1.example.org/hook",
        "http://user:secret@127.0.0.1:8000/",
        "http://127.0.0.1:8000/#x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "python:os.system",
        "http://0x7f.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:8000/a b",
        "x" * 3_000,
        "",
    ],
)
def test_a_hook_is_on_this_machine(aws, url):
    with pytest.raises(Exception, match=r"422|is n"):
        aws.hooks({ARN: url})
    with pytest.raises(Exception, match=r"hooks|is n|expected"):
        aws.load(json.dumps({"hooks": {ARN: url}}))


def test_a_hook_is_not_this_server_itself(aws):
    for path in ("", "/_emulator/api/worlds", "/2015-03-31/functions/x/invocations"):
        with pytest.raises(Exception, match="this server itself"):
            aws.hooks({ARN: aws.endpoint_url.partition("/w/")[0] + path})


def test_a_hook_is_not_what_is_behind_the_door(serve):
    # It knows no worlds: with it, whoever has one world could change what others have there.
    with serve("--upstream", "s3=http://127.0.0.1:59999") as (url, _), Emulator(url).world() as aws:
        with pytest.raises(Exception, match="what is behind its door"):
            aws.hooks({ARN: "http://127.0.0.1:59999/moto-api/reset"})
        aws.hooks({ARN: "http://127.0.0.1:59998/hook"})


def test_a_hook_plays_a_lambda_function(aws):
    with pytest.raises(Exception, match="no ARN of a Lambda function"):
        aws.hooks({"arn:aws:iam::123456789012:role/x": "http://127.0.0.1:8000/"})


def test_hosts_that_the_command_line_allows(serve):
    with serve("--hook-host", "hooks.internal.test") as (url, _), Emulator(url).world() as aws:
        aws.hooks({ARN: "https://hooks.internal.test/x"})
        with pytest.raises(Exception, match="is not this machine"):
            aws.hooks({ARN: "https://other.internal.test/x"})


def test_scenarios_name_hooks_and_triggers(aws, hooks):
    hooks.functions["/before"] = answering()
    aws.load(
        f"""
hooks:
  {HookServer.arn("before")}: {hooks.url}/before
accounts:
  "{aws.account}":
    user_pools:
      shop:
        triggers: {{PreAuthentication: "{HookServer.arn("before")}"}}
        clients: {{web: {{}}}}
        users: {{ada: {{password: Correct-horse-1}}}}
"""
    )
    assert hooks.events == []  # nothing fires for what a scenario declares
    (pool,) = aws.client("cognito-idp").list_user_pools(MaxResults=9)["UserPools"]
    apps = aws.client("cognito-idp").list_user_pool_clients(UserPoolId=pool["Id"])["UserPoolClients"]
    given = {"USERNAME": "ada", "PASSWORD": "Correct-horse-1"}
    done = aws.client("cognito-idp").initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH", ClientId=apps[0]["ClientId"], AuthParameters=given
    )
    assert done["AuthenticationResult"]["IdToken"]
    assert hooks.sources() == ["PreAuthentication_Authentication"]

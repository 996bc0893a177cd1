"""Talks to a running emulator: its control API, and the pages of its worlds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import Options
from sts_emulator.core.greeting import GREETING, HEALTH
from sts_emulator.settings import Settings, endpoint_in_environment, token_in_environment

if TYPE_CHECKING:
    from http.client import HTTPResponse  # with what it needs 13 ms, which `serve` has no use for

DEFAULT_WORLD = "default"
TIMEOUT = 30  # seconds; the slowest answer is a large scenario
AT_ONCE = 5.0  # seconds in which an emulator says that it is one


class ControlError(CommandError):
    """The server answered with an error; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """One running emulator, spoken to directly: proxy settings of the environment are for other hosts."""

    def __init__(self, url: str, token: str | None = None, *, patience: float = TIMEOUT) -> None:
        from http.client import HTTPConnection, HTTPSConnection, InvalidURL

        self.url = url.rstrip("/")
        self._token = token_in_environment() if token is None else token
        if not (self._token.isascii() and self._token.isprintable()):
            raise CommandError("--token: a token is of ASCII, or no header could hold it", UNUSABLE)
        self._is_known = False
        try:
            parts = urlsplit(self.url)
            host = parts.hostname or " "  # which nobody can be called
            host.encode("idna")
            kind = {"http": HTTPConnection, "https": HTTPSConnection}[parts.scheme]
            self._connection: HTTPConnection = kind(host, parts.port, timeout=patience)
        except (ValueError, KeyError, InvalidURL):  # brackets around no address, a port that is none, another scheme
            raise CommandError(f"`{url}` is not the URL of an emulator", UNUSABLE) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def endpoint(self, world: str) -> str:
        """The endpoint URL for AWS clients of a world."""
        return self.url if world == DEFAULT_WORLD else f"{self.url}/w/{world}"

    def api(self, method: str, *path: str, body: Any = None, **query: Any) -> Any:
        """Call the control API: `path` segments below `/_emulator/api`; JSON in and out, a str body as YAML.

        Raises:
            CommandError: no server, or it refused (ControlError).
        """
        given = {name: value for name, value in query.items() if value is not None}
        target = "/_emulator/api/" + "/".join(quote(segment, "", errors="surrogateescape") for segment in path)
        asked = f"?{urlencode(given, errors='surrogateescape')}" if given else ""
        return self.page(method, target + asked, body=body)

    def page(self, method: str, target: str, *, body: Any = None) -> Any:
        """Ask for any page of the server; JSON is decoded, anything else comes as text. Raises CommandError."""
        response = self._send(method, target, body)
        with self._conversation():
            text = response.read().decode("utf-8", "replace")
        try:
            value = json.loads(text) if "json" in response.headers.get("content-type", "") else text
        except (ValueError, RecursionError):
            raise self._stranger(response.status) from None
        if response.status >= 400:  # noqa: PLR2004 - the first status that is an error
            if text.startswith("<"):  # nothing that the command line asks for is a page
                raise self._stranger(response.status)
            raise ControlError(_complaint(value) or f"the server answered {response.status}", response.status)
        return value

    def meet(self) -> None:
        """Make sure, once, that an emulator answers: nobody else is given a token, or believed. Raises CommandError."""
        if self._is_known:
            return
        with self._conversation():
            response = self._exchange("GET", HEALTH, None, {})
            name, value = GREETING
            if response.headers.get(name) != value:
                raise self._stranger(response.status)
            response.read()
        self._is_known = True

    def _stranger(self, status: int) -> CommandError:
        return CommandError(f"what answers at {self.url} is no emulator ({status}); name another place with --port")

    @contextmanager
    def _conversation(self) -> Iterator[None]:
        """Raises CommandError for whoever does not answer, or not to the end."""
        from http.client import HTTPException

        try:
            yield
        except (OSError, HTTPException) as error:
            self._connection.close()
            reason = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
            message = f"no emulator answers at {self.url} ({reason.lower()}); start one: `sts-emulator start`"
            raise CommandError(message) from None

    def stream(self, *path: str) -> Iterator[dict[str, Any]]:
        """The data of server-sent events, until the server ends. Raises CommandError."""
        self.meet()  # within the patience, which events have none of
        self._connection.close()
        self._connection.timeout = None
        response = self._send("GET", "/_emulator/api/" + "/".join(quote(segment, safe="") for segment in path), None)
        if response.status >= 400:  # noqa: PLR2004 - the first status that is an error
            raise ControlError(response.read().decode("utf-8", "replace"), response.status)
        for line in response:
            if line.startswith(b"data:"):
                yield json.loads(line[5:])

    def _send(self, method: str, target: str, body: object) -> HTTPResponse:
        self.meet()
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        if isinstance(body, str):
            headers["content-type"] = "text/yaml; charset=utf-8"
            body = body.encode()
        elif body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body).encode()
        with self._conversation():
            return self._exchange(method, target, body, headers)

    def _exchange(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> HTTPResponse:
        from http.client import HTTPException

        was_open = self._connection.sock is not None
        try:
            self._connection.request(method, target, body, headers)
            return self._connection.getresponse()
        except (ConnectionError, HTTPException):
            self._connection.close()
            if not was_open:
                raise
        # An idle connection that the server has closed meanwhile: ask again on a new one.
        self._connection.request(method, target, body, headers)
        return self._connection.getresponse()


def answers(url: str, *, patience: float = AT_ONCE) -> bool:
    """Whether an emulator answers there, within so many seconds."""
    with Control(url, patience=patience) as control:
        try:
            control.meet()
        except CommandError:
            return False
    return True


def add_server_options(parser: argparse.ArgumentParser, *, world: bool = True) -> None:
    """Give a command the options that say which running emulator, and which of its worlds, it is about."""
    group = parser.add_argument_group("which emulator")
    group.add_argument("--host", help="address of the running emulator (default: EMULATOR_HOST, or as for the port)")
    group.add_argument("--port", type=int, help="its port (default: EMULATOR_PORT, else AWS_ENDPOINT_URL's, else 4600)")
    group.add_argument("--token", help="its token, where it asks for one (default: EMULATOR_TOKEN)")
    if world:
        add_world_option(group)


def add_world_option(parser: Options) -> None:
    """Give a command the option that says which world it is about."""
    parser.add_argument("--world", metavar="NAME", help="one of its worlds (default: AWS_ENDPOINT_URL's, else default)")


def control(arguments: argparse.Namespace) -> Control:
    """The emulator that a command's options name; settles which world they mean. Raises CommandError."""
    settings = settings_from_environment()
    endpoint = "" if arguments.host or arguments.port else endpoint_in_environment()
    url, world = _place_of(endpoint) if endpoint else ("", DEFAULT_WORLD)
    if getattr(arguments, "world", None) is None:
        arguments.world = world
    address = url or url_of(arguments.host or settings.host, arguments.port or settings.port)
    return Control(address, getattr(arguments, "token", None))


def port(arguments: argparse.Namespace) -> int:
    """The port of the emulator that a command's options name. Raises CommandError."""
    with control(arguments) as emulator:
        parts = urlsplit(emulator.url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _place_of(endpoint: str) -> tuple[str, str]:
    """The server and the world of an endpoint such as `http://127.0.0.1:4600/w/lab`."""
    base, slash, world = endpoint.rstrip("/").partition("/w/")
    return base, world if slash else DEFAULT_WORLD


def url_of(host: str, port: int) -> str:
    """The URL at which this machine reaches a server that listens on `host`; one that listens everywhere, at home."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def settings_from_environment() -> Settings:
    """The settings that the environment gives. Raises CommandError."""
    try:
        return Settings.from_environment()
    except ValueError as bad:
        raise CommandError(str(bad), UNUSABLE) from None


def _complaint(value: object) -> str:
    """What an error's body says, in FastAPI's forms and ours."""
    if not isinstance(value, dict):
        return str(value).strip()
    detail = value.get("detail", value.get("message", ""))
    if isinstance(detail, list):  # FastAPI's validation errors
        return "; ".join(
            ": ".join(filter(None, (".".join(map(str, problem.get("loc", ())[1:])), problem.get("msg", ""))))
            for problem in detail
        )
    return str(detail)

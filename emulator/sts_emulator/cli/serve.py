"""`serve`: runs the emulator, and says at start how to use it."""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import Field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sts_emulator.accounts import documents
from sts_emulator.cli import moto_server
from sts_emulator.cli.control import answers, settings_from_environment, url_of
from sts_emulator.cli.errors import INTERRUPTED, UNUSABLE, CommandError
from sts_emulator.cli.inputs import named_values, untold
from sts_emulator.cli.screen import patience
from sts_emulator.core import log_lines
from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.names import is_account_id
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.pages.tokens import settled
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Server

if TYPE_CHECKING:
    from sts_emulator.serving.workers import Worker

log = logging.getLogger("emulator")

LAST_PORT = 65_535
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on

_HELP = {
    "host": "address to listen on",
    "port": "port to listen on",
    "token": "what the control API, the console and the lab's issuers ask for, `none` for nothing; without it one is "
    "made where others than this machine can reach them",
    "allowed_hosts": "a further name under which pages and the control API may be reached, as containers name each "
    "other; may be given several times",
    "state": "SQLite file that keeps the state, or a postgresql:// URL; without it everything is in memory",
    "workers": "processes that answer on the port, with --state",
    "durable": "let answers outlive a power cut, too: each commit to a state file waits for the disk",
    "fresh_ms": "milliseconds for which what other replicas wrote may go unseen, with a database",
    "tls_port": "port of https beside http, with a certificate of the lab's authority",
    "certs": "folder of the lab's authorities, keys and certificates",
    "scenario": "scenario file, or folder of them, to start from and to watch; may be given several times "
    "(default: the folder trust_policies, or else a built-in one)",
    "parameter": "of CloudFormation templates among the scenarios; may be given several times",
    "permissive": "accept any credentials: for moving test suites over, never otherwise",
    "upstream": "where services are that are not here, as a URL, or SERVICE=URL for one of them, or `moto`, which is "
    "started then; may be given several times (docs/gateway.md)",
    "upstream_account": "account as which all calls go on to upstreams, for those that know but one",
    "upstream_patience": "seconds in which an upstream has to answer",
    "allow_unmapped": "let calls pass undecided of which the map lacks what they need",
    "dependent_permissions": "ask for the permissions on KMS keys behind objects, queues, topics and secrets, too",
    "triggers": "Python module or file whose functions play Lambda triggers of user pools; may be given several times "
    "(docs/cognito.md)",
    "hook_host": "a host beside this machine (or this, where a token is asked for) to which triggers may be posted; "
    "may be given several times",
    "provider_host": "a host beside this machine (or this, where a token is asked for) that user pools may ask as an "
    "identity provider; may be given several times",
    "trigger_patience": "seconds in which a trigger of a user pool has to answer, three times",
    "record": "file to which what was used is appended, by principal (`sts-emulator least-privilege` reads it)",
    "fetch_issuers": "whose keys are fetched: `loopback`, or `https` for every registered issuer (default: loopback, "
    "or nobody's where a token is asked for)",
    "log_format": "`text`, or `json`: one object a line, also one for each attempt, and no credentials at start",
    "region": "region of requests that name none",
    "account": "account for which --permissive takes an unknown access key",
}
_METAVARS = {
    "state": "FILE|URL",
    "allowed_hosts": "NAME",
    "scenario": "PATH",
    "parameter": "NAME=VALUE",
    "account": "ID",
    "upstream": "URL",
    "upstream_account": "ID",
    "upstream_patience": "N",
    "triggers": "MODULE",
    "hook_host": "NAME",
    "provider_host": "NAME",
    "trigger_patience": "N",
    "record": "FILE",
    "port": "N",
    "tls_port": "N",
    "fresh_ms": "N",
    "workers": "N",
}
_FLAGS = {"allowed_hosts": "--allow-host"}
_CHOICES = {
    "log_format": ("text", "json"),
    "fetch_issuers": ("loopback", "https"),
    "authorization_ids": ("iam", "all", "none"),
}
_REGION = re.compile("[a-z0-9]+(-[a-z0-9]+)*")


HELP = "run the emulator"
DESCRIPTION = "Run the emulator. Every flag is also an environment variable, EMULATOR_ and its name in capitals."


def add_options(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give a command one flag for each setting."""
    for setting in fields(Settings):
        _add_flag(parser, setting)


def flags_of(arguments: argparse.Namespace) -> Iterator[str]:
    """The flags that were given, for another process."""
    for setting in fields(Settings):
        flag, given = _flag(setting), getattr(arguments, setting.name)
        if isinstance(given, bool):
            yield flag if given else f"--no-{flag[2:]}"
        elif given is not None:
            yield from (f"{flag}={value}" for value in (given if isinstance(given, list) else [given]))


def _flag(setting: Field[Any]) -> str:
    return _FLAGS.get(setting.name, f"--{setting.name.replace('_', '-')}")


def _add_flag(parser: argparse.ArgumentParser, setting: Field[Any]) -> None:
    flag, default = _flag(setting), setting.default
    told = _HELP.get(setting.name, setting.name.replace("_", " "))
    if isinstance(default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=told)
        return
    shown = f"{told} (default: {default})" if default not in ("", ()) else told
    parser.add_argument(
        flag,
        dest=setting.name,
        type=int if isinstance(default, int) else str,
        action="append" if isinstance(default, tuple) else "store",
        default=None,
        choices=_CHOICES.get(setting.name),
        metavar=None if setting.name in _CHOICES else _METAVARS.get(setting.name, setting.name.upper()),
        help=shown,
    )


def run(arguments: argparse.Namespace) -> None:
    """Serve until interrupted. Raises CommandError for a mistake in a scenario and for a port that is taken."""
    gc.disable()  # what is loaded and seeded now stays: collecting meanwhile is a tenth of the start
    chosen = settings(arguments)
    try:
        with moto_server.started(chosen.upstream) as upstreams:
            _run(replace(chosen, upstream=upstreams))
    except KeyboardInterrupt:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)  # all is written: the interpreter would wait for threads that work on what nobody awaits


def _run(chosen: Settings) -> None:
    from sts_emulator.app import serve
    from sts_emulator.core.store import UnavailableError, UnusableError
    from sts_emulator.scenario import ScenarioError
    from sts_emulator.serving.sockets import PortError

    named_values("--parameter", chosen.parameter)
    _check_values(chosen)
    _check_upstreams(chosen)
    _check_triggers(chosen)
    try:
        token, is_made = settled(chosen), not chosen.token
    except ValueError as error:
        raise CommandError(f"--token: {error}", UNUSABLE) from None
    if chosen.log_format == "json":
        if is_made and token:
            raise CommandError("--log-format json: give a --token; one that is made would stand in the log", UNUSABLE)
        log_lines.configure()
    chosen = replace(chosen, port=free_port(chosen.host, chosen.port), token=token)
    worker = _worker(chosen) if chosen.workers != 1 else None
    try:
        serve(
            chosen,
            opening=patience("checking the state"),
            ready=partial(_ready, worker, is_made=is_made),
            worker=worker,
        )
    except ScenarioError as error:
        raise CommandError(f"nothing was started\n{error}", UNUSABLE) from None
    except (PortError, UnusableError) as error:
        raise CommandError(str(error), UNUSABLE) from None
    except UnavailableError as error:
        raise CommandError(f"state `{chosen.state}`: {error}; end what uses it, or name another file") from None


def _worker(chosen: Settings) -> Worker:
    """This process as one of several. Raises CommandError where there cannot be several."""
    import os

    from sts_emulator.serving import workers

    if chosen.workers < 1:
        raise CommandError(f"--workers {chosen.workers}: at least 1", UNUSABLE)
    if not chosen.state:
        raise CommandError(
            f"--workers {chosen.workers}: memory belongs to one process; name what they share with --state FILE or "
            "--state postgresql://…",
            UNUSABLE,
        )
    if not hasattr(os, "fork"):
        raise CommandError("--workers: this system cannot fork; start servers on ports of their own", UNUSABLE)
    try:
        return workers.fork(chosen)
    except OSError as error:
        raise CommandError(f"cannot listen: {(error.strerror or str(error)).lower()}", UNUSABLE) from None


def _ready(worker: Worker | None, server: Server, *, is_made: bool) -> None:
    if worker is None or (worker.is_first and not worker.is_again):
        announce(server, is_made=is_made)
    if worker is not None:
        worker.tell_ready()


def _check_values(chosen: Settings) -> None:
    for flag, number, limit in (
        ("--tls-port", chosen.tls_port, LAST_PORT),
        ("--fresh-ms", chosen.fresh_ms, None),
        ("--upstream-patience", chosen.upstream_patience, None),
        ("--trigger-patience", chosen.trigger_patience, None),
    ):
        if number < 0 or (limit is not None and number > limit):
            raise CommandError(f"{flag} {number}: from 0{f' to {limit}' if limit else ''}", UNUSABLE)
    for flag, account in (("--account", chosen.account), ("--upstream-account", chosen.upstream_account)):
        if account and not is_account_id(account):
            raise CommandError(f"{flag} takes an account id of twelve digits, got `{account}`", UNUSABLE)
    if not _REGION.fullmatch(chosen.region):
        raise CommandError(f"--region takes a region such as us-east-1, got `{chosen.region}`", UNUSABLE)


def _check_upstreams(chosen: Settings) -> None:
    if chosen.upstream:
        from sts_emulator.gateway.upstreams import Upstreams

        try:
            Upstreams(chosen.upstream, chosen.upstream_account)
        except ValueError as error:
            raise CommandError(str(error), UNUSABLE) from None


def _check_triggers(chosen: Settings) -> None:
    if chosen.triggers:
        from sts_emulator.idp.user_pools.triggers import callables

        try:
            callables.load(chosen.triggers)
        except callables.ModuleError as error:
            raise CommandError(str(error), UNUSABLE) from None


def settings(arguments: argparse.Namespace) -> Settings:
    """The settings of the environment, overruled by the flags. Raises CommandError for one that is blank."""
    given: dict[str, Any] = {setting.name: getattr(arguments, setting.name) for setting in fields(Settings)}
    for setting in fields(Settings):
        texts = given[setting.name] if isinstance(given[setting.name], list) else [given[setting.name]]
        if any(isinstance(text, str) and not text.strip() for text in texts):  # such as "$NAME" of no such variable
            raise CommandError(f"{_flag(setting)} is blank: give it a value, or leave it out", UNUSABLE)
    flags: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return replace(settings_from_environment(), **{name: value for name, value in flags.items() if value is not None})


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0, once it is sure that it can be listened on; the server would say so too late."""
    import socket

    if not 0 <= port <= LAST_PORT:  # the C library would take it modulo 65536
        raise CommandError(f"cannot listen on {host} port {port}: ports end at {LAST_PORT}", UNUSABLE)
    try:
        name = host.encode() if host.isascii() else host  # a str would load the tables for other alphabets
        family, kind, protocol, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        told = f"cannot listen on {host} port {port}: {reason.lower()}{_instead(host, port, error)}"
        raise CommandError(told, UNUSABLE) from None


def _instead(host: str, port: int, error: Exception) -> str:
    """What to do where a port is taken."""
    if getattr(error, "errno", None) != errno.EADDRINUSE:
        return ""
    if answers(url_of(host, port)):
        from sts_emulator.cli.status import background

        end = f"`sts-emulator stop --port {port}`" if background(port)["pid"] else "end it"
        return f"; an emulator runs there: use it, or {end}, or take another port"
    return "; `--port 0` takes a free one"


def announce(server: Server, *, is_made: bool = False) -> None:
    """Print what is served, the root credentials, what to paste into a shell and what to try then."""
    world = server.worlds.get(DEFAULT)
    if server.settings.log_format == "json":
        log.info("ready", extra={"told": {"url": url_of(server.settings.host, server.settings.port)}})
    elif world is not None:
        print("\n".join(_announcement(server.settings, world, is_made=is_made)), flush=True)


def _announcement(settings: Settings, world: World, *, is_made: bool = False) -> Iterator[str]:
    url = url_of(settings.host, settings.port)
    accounts = world.page(documents.ACCOUNT)
    yield f"sts-emulator serves {len(accounts)} account{'s' if len(accounts) != 1 else ''} on {url}"
    yield f"console: {url}/_emulator/"
    if not is_loopback(settings.host):
        yield from ("", *_who_reaches(settings, is_made=is_made))
    for upstream in settings.upstream:
        yield from ("", f"  calls of {_passed_on(upstream)} pass on, once they are decided")
    if settings.upstream and settings.allow_unmapped:
        yield from ("", "  ALLOW UNMAPPED: calls pass undecided of which the map lacks what they need.")
    made_up = [f"  {line}" for source in world.page(documents.IMPORT) for line in untold(source["notes"])]
    yield from ("", *made_up) if made_up else ()
    if settings.permissive:
        yield from ("", "  PERMISSIVE: any credentials are accepted, and nothing that follows from them is proven.")
    roots = {key["account"]: key for key in world.page(documents.ACCESS_KEY) if not key["user"]}
    if roots:
        yield from ("", "root credentials:", *_root_lines(accounts, roots))
        first = next(roots[account["id"]] for account in accounts if account["id"] in roots)
        everything = _with_port('eval "$(sts-emulator env)"', settings)
        yield from ("", f"paste into a shell (all variables: {everything}):", "")
        yield f"  export AWS_ENDPOINT_URL={shlex.quote(url)}"
        yield f"  export AWS_ACCESS_KEY_ID={shlex.quote(first['id'])}"
        yield f"  export AWS_SECRET_ACCESS_KEY={shlex.quote(first['secret'])}"
        yield f"  export AWS_DEFAULT_REGION={settings.region}"
    commands = {method: text for record in world.page(documents.SCENARIO) for method, text in record["try"].items()}
    if commands:
        yield from ("", "then try:", "")
        for method, text in commands.items():
            yield f"  # {method}"
            yield from (f"  {line}" for line in _with_port(text, settings).strip().splitlines())
    yield from ("", "ready; Ctrl-C stops it")


def _who_reaches(settings: Settings, *, is_made: bool) -> Iterator[str]:
    """Who can do what, where others than this machine can connect."""
    where = "every address of this machine" if settings.host in ANYWHERE else settings.host
    yield f"  EVERYBODY who reaches {where} may call the AWS endpoint, and see its sign-in pages and metadata services."
    if not settings.token:
        yield "  EVERYBODY may also use the control API (root keys, clock, scenarios) and the lab's issuers."
        return
    yield "  The control API, the console and the lab's issuers ask for " + ("this token:" if is_made else "the token.")
    if is_made:
        yield f"  export EMULATOR_TOKEN={shlex.quote(settings.token)}"


def _passed_on(upstream: str) -> str:
    """What goes where, without the secret that the URL may hold."""
    service, equals, url = upstream.rpartition("=") if "=" in upstream.partition(":")[0] else ("", "", upstream)
    scheme, _, rest = url.partition("://")
    where = f"{scheme}://{rest.rpartition('@')[2]}"
    return f"{service} to {where}" if equals else f"services that are not here to {where}"


def _with_port(command: str, settings: Settings) -> str:
    """A command of a scenario, for this server."""
    if settings.port == Settings().port:
        return command
    return re.sub(r"sts-emulator (env|token [a-z-]+)", rf"\g<0> --port {settings.port}", command)


def _root_lines(accounts: Iterable[Any], roots: dict[str, Any]) -> Iterator[str]:
    for account in accounts:
        key = roots.get(account["id"])
        if key is not None:
            yield f"  {account['id']}  {account['name']:<12}  {key['id']}  {key['secret']}"

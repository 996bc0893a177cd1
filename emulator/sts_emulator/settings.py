"""Settings: the only reader of the environment. Every option is also a flag of `sts-emulator serve`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sts_emulator.policy.light_dataclass import dataclass

PREFIX = "EMULATOR_"
NO_TOKEN = "none"  # noqa: S105 - the absence of one
"""The token of a server that asks for none, whoever reaches it."""
_SEPARATORS = {
    f"{PREFIX}ALLOWED_HOSTS": ",",
    f"{PREFIX}UPSTREAM": ",",
    f"{PREFIX}HOOK_HOST": ",",
    f"{PREFIX}PROVIDER_HOST": ",",
    f"{PREFIX}PARAMETER": "\n",
}
"""Between values where it is not what the system puts between paths, as values may hold that."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one server behaves; each field is set by `EMULATOR_<FIELD>` or the flag of the same name."""

    host: str = "127.0.0.1"
    port: int = 4600
    token: str = (
        ""  # what the control API, the console and the lab's issuers ask for beyond loopback; `none` for nothing
    )
    allowed_hosts: tuple[str, ...] = ()  # further names under which pages and the control API are reached (commas)
    tls_port: int = 0  # https beside http, with a certificate of the lab's authority; 0 is none
    certs: str = "certs"  # folder of the lab's authorities, keys and certificates
    state: str = ""  # path of an SQLite file, or a postgresql:// URL; empty keeps everything in memory
    workers: int = 1  # processes that share the port, with a state; 1 serves without a parent
    durable: bool = False  # answers outlive a power cut, too: each commit to a state file waits for the disk
    fresh_ms: int = 0  # milliseconds for which what other replicas wrote may go unseen, with a database
    scenario: tuple[str, ...] = ()  # files or folders, separated by the system's path separator in the environment
    parameter: tuple[str, ...] = ()  # NAME=VALUE of CloudFormation templates among them (lines in the environment)
    permissive: bool = False  # accept any credentials: for migrating test suites, never the default
    fetch_issuers: str = ""  # whose keys are fetched: `loopback`, or `https` for any registered issuer; empty is
    # `loopback`, or nobody's where a token is asked for
    upstream: tuple[str, ...] = ()  # where services that are not here are: URLs, or SERVICE=URL (commas)
    upstream_account: str = ""  # the account as which all calls go on, for upstreams that know but one
    upstream_patience: int = 60  # seconds in which an upstream has to answer
    allow_unmapped: bool = False  # let calls pass undecided of which the map lacks what they need: loudly
    dependent_permissions: bool = False  # ask for those on KMS keys behind objects, queues, topics and secrets, too
    triggers: tuple[str, ...] = ()  # Python modules whose functions play triggers of user pools
    hook_host: tuple[str, ...] = ()  # hosts beside this machine to which triggers may be posted (commas)
    provider_host: tuple[str, ...] = ()  # hosts beside this machine whose identity providers pools ask (commas)
    trigger_patience: int = 5  # seconds in which a trigger has to answer, of three tries each
    record: str = ""  # a file to which what was used is appended, by principal, for least policies
    authorization_ids: str = "iam"  # whose denials name an id: `iam` as AWS does (and the door's), `all`, or `none`
    log_format: str = "text"  # or `json`: one object a line, with one for each attempt, and without root credentials
    region: str = "us-east-1"
    account: str = "000000000000"  # whom `--permissive` takes an unknown key for

    @property
    def is_shared(self) -> bool:
        """Whether a token is asked for: who calls may be no user of this machine, whose ports are not theirs to try."""
        return self.token not in ("", NO_TOKEN)

    @property
    def fetches_here(self) -> bool:
        """Whether issuers and revocation lists on this machine are asked."""
        return self.fetch_issuers == "loopback" or not self.is_shared

    @property
    def own_ports(self) -> tuple[int, ...]:
        """The ports on which this server is reached, and what is behind its door, which knows no worlds."""
        behind = [urlsplit(re.sub(r"\A[a-z0-9-]+=", "", given)) for given in self.upstream]
        ports = [place.port or (443 if place.scheme == "https" else 80) for place in behind]
        return tuple(port for port in (self.port, self.tls_port, *ports) if port)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Settings from `EMULATOR_*` variables.

        Raises:
            ValueError: a variable that no setting has, or a value that is none; so a misspelt name never passes.
        """
        values = os.environ if environment is None else environment
        variables = {name: value for name, value in values.items() if name.startswith(PREFIX)}
        known = {PREFIX + field.name.upper(): field for field in fields(cls)}
        unknown = sorted(set(variables) - set(known))
        if unknown:
            raise ValueError(f"unknown setting `{unknown[0]}`; known are {', '.join(sorted(known))}")
        converted: dict[str, Any] = {
            known[name].name: _convert(name, value, known[name].default) for name, value in variables.items()
        }
        return cls(**converted)


def pairs(given: Iterable[str], form: str = "NAME=VALUE") -> Iterator[tuple[str, str]]:
    """What NAME=VALUE texts say. Raises ValueError."""
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"takes {form}, got `{text}`")
        yield name, value


def token_in_environment(environment: Mapping[str, str] | None = None) -> str:
    """The token for a running emulator, "" for none."""
    values = os.environ if environment is None else environment
    return values.get(f"{PREFIX}TOKEN", "")


def endpoint_in_environment(environment: Mapping[str, str] | None = None) -> str:
    """The endpoint that AWS clients are given, "" where EMULATOR_HOST or EMULATOR_PORT say where the emulator is."""
    values = os.environ if environment is None else environment
    if f"{PREFIX}HOST" in values or f"{PREFIX}PORT" in values:
        return ""
    return values.get("AWS_ENDPOINT_URL", "")


def colour_wanted(environment: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal wants colour: https://no-color.org, and terminals that say that they are dumb."""
    values = os.environ if environment is None else environment
    return not values.get("NO_COLOR") and values.get("TERM") != "dumb"


def state_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where servers in the background keep their logs, as the XDG base directory specification has it."""
    values = os.environ if environment is None else environment
    return Path(values.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sts-emulator"


def _convert(name: str, value: str, default: object) -> object:
    if isinstance(default, bool):
        if value.lower() not in ("0", "1", "false", "true"):
            raise ValueError(f"{name}: expected 0, 1, true or false, got `{value}`")
        return value.lower() in ("1", "true")
    if isinstance(default, int):
        if not value.isdigit():
            raise ValueError(f"{name}: expected a number, got `{value}`")
        return int(value)
    if isinstance(default, tuple):
        parts = value.split(_SEPARATORS.get(name, os.pathsep))
        return tuple(part.strip() for part in parts if part.strip())
    return value

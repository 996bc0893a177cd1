"""An emulator as Python code sees it: `Emulator`, and `Aws`, one of its worlds."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sts_emulator.policy.json_types import Json, JsonObject

if TYPE_CHECKING:
    from sts_emulator.cli.control import Control

REGION = "us-east-1"
_HOUR = 3600

_numbers = itertools.count(1)


class Emulator:
    """An emulator, in a program or another test framework than pytest: `with Emulator() as aws:`.

    Without a URL one is started, and ends with the `with` block, or with this process, however that ends. `aws` is a
    world of its own, seeded from `scenario` (YAML, or a Path of it) or else as a fresh server is.
    """

    def __init__(self, url: str = "", *, scenario: str | Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._scenario = scenario
        self._open = ExitStack()

    def __enter__(self) -> Aws:
        with ExitStack() as opened:
            url = self.url
            if not url:
                from tempfile import TemporaryDirectory

                from sts_emulator.shared_server import shared

                folder = opened.enter_context(TemporaryDirectory(prefix="sts-emulator-"))
                url = self.url = opened.enter_context(shared(Path(folder)))
                opened.callback(setattr, self, "url", "")
            given = self._scenario
            text = given.read_text("utf-8") if isinstance(given, Path) else given
            world = opened.enter_context(self.world(text))
            self._open = opened.pop_all()
        return world

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def control(self) -> Control:
        """A connection to its control API."""
        from sts_emulator.cli.control import Control

        return Control(self.url)

    @contextmanager
    def world(self, scenario: str | None = None, name: str | None = None) -> Iterator[Aws]:
        """A new world, deleted at the end; seeded from YAML, or as a fresh server is when `scenario` is None."""
        chosen = name or f"test-{secrets.token_hex(4)}-{next(_numbers)}"
        text = _default_scenario() if scenario is None else scenario
        with self.control() as control:
            control.api("POST", "worlds", body={"name": chosen, "scenario": text})
            aws = Aws(control, chosen)
            try:
                yield aws
            finally:
                aws.close()
                control.api("DELETE", "worlds", chosen)


class Aws:
    """One world of an emulator, as a test sees it."""

    def __init__(self, control: Control, world: str) -> None:
        self._control = control
        self.world = world
        self.endpoint_url = control.endpoint(world)
        self._keys: dict[str, dict[str, str]] = {}
        self._homes = ExitStack()

    # -- clients --------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        """The id of the world's first account."""
        return self.root["account"]

    @property
    def root(self) -> dict[str, str]:
        """The root access key of the first account: account, access_key_id and secret_access_key."""
        return self.credentials()

    def credentials(self, *, account: str | None = None, user: str = "") -> dict[str, str]:
        """The access key of an account's root, or of a user: account, access_key_id and secret_access_key."""
        key = f"{account}/{user}"
        if key not in self._keys:
            self._keys[key] = self._api("GET", "credentials", account=account, user=user or None)
        return self._keys[key]

    def client(self, service: str, credentials: JsonObject | None = None, *, user: str = "", **options: object) -> Any:
        """A boto3 client of this world.

        `credentials` may be a `Credentials` structure as STS gives it, or a mapping with access_key_id,
        secret_access_key and session_token; without them it is `user`, or root of the first account. `options` go to
        `boto3.client`.
        """
        given = credentials if credentials is not None else self.credentials(user=user)
        mine = {
            "endpoint_url": self.endpoint_url,
            "region_name": REGION,
            "aws_access_key_id": given.get("AccessKeyId", given.get("access_key_id")),
            "aws_secret_access_key": given.get("SecretAccessKey", given.get("secret_access_key")),
            "aws_session_token": given.get("SessionToken", given.get("session_token")),
        }
        return _boto3_session().client(service, **{**mine, **options})

    def env(self, credentials: Mapping[str, Any] | None = None, *, user: str = "") -> dict[str, str]:
        """Environment variables that point any AWS client at this world, with credentials as for `client`."""
        from sts_emulator.cli.env import variables

        given = credentials if credentials is not None else self.credentials(user=user)
        key = {
            "access_key_id": given.get("AccessKeyId", given.get("access_key_id", "")),
            "secret_access_key": given.get("SecretAccessKey", given.get("secret_access_key", "")),
            "session_token": given.get("SessionToken", given.get("session_token", "")),
        }
        return variables(self.endpoint_url, key, REGION)

    # -- the world ------------------------------------------------------------------------------------------------

    def token(self, issuer: str, /, **claims: object) -> str:
        """A token of a lab issuer, named by its own name or a preset's: options of the preset and claims.

        Raises:
            TypeError: a name is nearly one that the issuer knows; `page` mints a token that really has such a claim.
        """
        from sts_emulator.idp.presets import misspelt

        if wrong := misspelt(issuer, claims):
            raise TypeError(wrong)
        return str(self.page("POST", f"issuers/{issuer}/token", body=claims)["token"])

    def page(self, method: str, path: str, *, body: object = None) -> Any:
        """Any page of the world: JSON is decoded, anything else comes as text."""
        prefix = self.endpoint_url.removeprefix(self._control.url)
        return self._control.page(method, f"{prefix}/{path}", body=body)

    def load(self, scenario: str) -> None:
        """Create or update what a scenario (YAML) declares. Raises CommandError with its mistakes."""
        self._keys.clear()
        self._api("POST", "scenario", body=scenario)

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the world's clock forward."""
        total = seconds + minutes * 60 + hours * _HOUR + days * 24 * _HOUR
        self._api("POST", "clock", body={"advance_seconds": total})

    def now(self) -> float:
        """The world's time, in seconds since the epoch; whole ones."""
        from sts_emulator.core.clock import parse_iso

        return parse_iso(self._api("GET")["time"])

    def eventual_consistency(self, seconds: float) -> None:
        """From now on keep new principals, policies and keys unknown for so many seconds, as AWS may; 0 for never."""
        self._api("PUT", "eventual-consistency", body={"seconds": seconds})

    def faults(self, *faults: JsonObject) -> None:
        """Let calls and visits fail, wait, hang or lose their answers: the members are in docs/worlds-and-time.md."""
        self._api("PUT", "faults", body=list(faults))

    def hooks(self, hooks: Mapping[str, str]) -> None:
        """Say which URLs on this machine play the Lambda functions that user pools name, by ARN."""
        self._api("PUT", "hooks", body=dict(hooks))

    def events(self, *, outcome: str | None = None) -> list[dict[str, Json]]:
        """What was attempted, oldest first, as CloudTrail-shaped records; `outcome` is allowed or denied."""
        events: list[dict[str, Any]] = self._api("GET", "events", limit=10_000, outcome=outcome)
        return events

    def messages(self, to: str = "") -> list[dict[str, Json]]:
        """Mails and text messages that people got, oldest first: those to an address or number, or all."""
        sent: list[dict[str, Any]] = self._api("GET", "messages", to=to or None)
        return sent

    def approve(self, what: str, user: str, *, deny: bool = False) -> dict[str, str]:
        """Sign in as somebody and approve a URL or code that a tool waits for; where the browser would go then.

        Raises CommandError where the page would refuse.
        """
        kind = "url" if "://" in what else "code"
        outcome: dict[str, str] = self._api("POST", "approve", body={kind: what, "user": user, "deny": deny})
        return outcome

    def sso_login(self, user: str, account: str, role: str) -> dict[str, str]:
        """Sign somebody in at Identity Center, and leave a profile with their token as `aws sso login` does.

        Returns the variables that lead an AWS client there: HOME, AWS_PROFILE and the world's endpoint. Raises
        CommandError for who cannot sign in; that the role is assigned, the first call finds out.
        """
        from sts_emulator.cli import sso_profile

        center = self._api("GET", "identity-center")
        token = sso_profile.sign_in(
            lambda path, body: self.page("POST", path, body=body), lambda code: self.approve(code, user), center
        )
        home = self._new_home()
        config = sso_profile.blocks(center, [{"account": account, "name": role}], REGION)
        sso_profile.leave(home, token, config)
        return {
            "HOME": str(home),
            "AWS_PROFILE": f"{role}-{account}",
            "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
            "AWS_ENDPOINT_URL": self.endpoint_url,
        }

    def explain(self, what: object = "last") -> str:
        """Why an attempt was allowed or denied, as text: of a ClientError, a response, an event or its id."""
        return str(self._api("GET", "explain", _event_id(what), format="text"))

    def decisions(self, what: object = "last") -> list[dict[str, Json]]:
        """Like `explain`, as data: every question that the attempt put to the policy engine, with its tree."""
        decisions: list[dict[str, Any]] = self._api("GET", "explain", _event_id(what), format="json")["decisions"]
        return decisions

    def close(self) -> None:
        """Remove what was left in the file system."""
        self._homes.close()

    def _new_home(self) -> Path:
        from tempfile import TemporaryDirectory

        return Path(self._homes.enter_context(TemporaryDirectory(prefix="sts-emulator-")))

    def _api(self, method: str, *path: str, body: Json = None, **query: Json) -> Any:
        return self._control.api(method, "worlds", self.world, *path, body=body, **query)


@cache
def _boto3_session() -> Any:
    """One session for all clients: it keeps the service models that it has read."""
    try:
        import boto3
    except ModuleNotFoundError as missing:
        told = (
            "`client` makes clients of boto3, which is not installed: pip install boto3 (or use `env` with another SDK)"
        )
        raise ModuleNotFoundError(told, name="boto3") from missing
    return boto3.session.Session()


def _event_id(what: object) -> str:
    response = getattr(what, "response", what)
    if isinstance(response, Mapping):
        return str(response.get("eventID") or response["ResponseMetadata"]["RequestId"])
    return str(response)


def _default_scenario() -> str:
    from sts_emulator.scenario.watch import BUILT_IN

    return BUILT_IN.read_text(encoding="utf-8")

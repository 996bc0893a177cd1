"""The hands that do a lab: an unmodified client of AWS in a learner's world, for `solve`, `lint` and tests.

They run beside the server, never in it: botocore takes more time and memory than a whole server does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

REGION: Final = "us-east-1"

Ask = Callable[..., Any]
"""`ask(method, path, body=None)`: a page of the learner's world, JSON decoded."""


class Hands:
    """Somebody in a learner's world. `values` are those of the lab's placeholders, `keys` the learner's own."""

    def __init__(
        self, endpoint: str, values: Mapping[str, str], keys: tuple[str, ...], control: Ask, page: Ask
    ) -> None:
        self.endpoint = endpoint
        self.values = values
        self.page = page
        self._keys = keys
        self.control = control
        self._kept: dict[str, Any] = {}
        self._clients: dict[tuple[str, tuple[str, ...]], Any] = {}

    def client(self, service: str, keys: tuple[str, ...] | None = None) -> Any:
        """A client with the learner's keys, or others: id, secret and, of a session, its token; () signs nothing."""
        given = self._keys if keys is None else keys
        if (service, given) not in self._clients:
            self._clients[service, given] = self._new_client(service, given)
        return self._clients[service, given]

    def _new_client(self, service: str, keys: tuple[str, ...]) -> object:
        from botocore import UNSIGNED
        from botocore.config import Config

        key_id, secret, token = (*keys, *[None] * 3)[:3]
        config = Config(retries={"max_attempts": 1}, **({} if keys else {"signature_version": UNSIGNED}))
        return _session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=config,
        )

    def close(self) -> None:
        """Close the connections of all clients."""
        while self._clients:
            self._clients.popitem()[1].close()

    def keep(self, name: str, value: object) -> Any:
        """Keep something for a later step, as a shell keeps a variable."""
        self._kept[name] = value
        return value

    def kept(self, name: str) -> Any:
        """What a step before has kept."""
        return self._kept[name]

    def session(self, name: str) -> tuple[str, ...]:
        """The keys in an answer of STS that was kept."""
        given = self._kept[name]["Credentials"]
        return (given["AccessKeyId"], given.get("SecretAccessKey", given.get("SecretKey", "")), given["SessionToken"])

    def fetch(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """What `curl` would get from a page of the world: status and text."""
        from http.client import HTTPConnection
        from urllib.parse import urlsplit

        place = urlsplit(self.endpoint)
        connection = HTTPConnection(place.hostname or "", place.port)
        try:
            connection.request(method, f"{place.path}/{path}", headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def task(self, role: str) -> tuple[str, ...]:
        """The keys that a container with this role is given."""
        started = self.control("POST", "workloads", body={"kind": "ecs", "role": role})
        given = self.page("GET", f"ecs{started['details']['credentials']}")
        return (given["AccessKeyId"], given["SecretAccessKey"], given["Token"])

    @contextmanager
    def tries(self) -> Iterator[None]:
        """What may be refused: the step goes on, as a person does."""
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError:
            return

    def advance(self, seconds: float) -> None:
        """Move the world's clock."""
        self.control("POST", "clock", body={"advance_seconds": seconds})

    def now(self) -> str:
        """The world's time."""
        return str(self.control("GET")["time"])

    def old_sessions_denied(self) -> dict[str, object]:
        """The statement that ends all sessions that were made before now."""
        old = {"DateLessThan": {"aws:TokenIssueTime": self.now()}}
        return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": old}

    def put_user_policy(self, user: str, name: str, *statements: Mapping[str, object]) -> None:
        """Write a policy of a user."""
        self.client("iam").put_user_policy(UserName=user, PolicyName=name, PolicyDocument=policy(*statements))

    def put_role_policy(self, role: str, name: str, *statements: Mapping[str, object]) -> None:
        """Write a policy of a role."""
        self.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy(*statements))

    def trust(self, role: str, *statements: Mapping[str, object]) -> None:
        """Write the trust policy of a role."""
        self.client("iam").update_assume_role_policy(RoleName=role, PolicyDocument=policy(*statements))


def policy(*statements: Mapping[str, object]) -> str:
    """The text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@cache
def _session() -> Any:
    """One for all clients: it keeps the service models that it has read."""
    import botocore.session

    return botocore.session.Session()

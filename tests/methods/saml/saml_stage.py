"""A stage for SAML without a socket: one account, one provider, one role, and the operation called as the wire does."""

from __future__ import annotations

import asyncio
import json
import uuid

from saml_maker import ACCOUNT, ROLE, identity, metadata

from sts_emulator.core.backends import open_store
from sts_emulator.core.events import EventLog
from sts_emulator.core.world import Worlds
from sts_emulator.iam.providers import saml_providers
from sts_emulator.methods.saml.assume_role_with_saml import assume_role_with_saml
from sts_emulator.settings import Settings
from sts_emulator.vending import authenticate
from sts_emulator.vending.context import Context, Server


class Stage:
    """A world of its own, with what the tests need to change in it."""

    def __init__(self) -> None:
        store = open_store()
        worlds = Worlds(store)
        self.world = worlds.create("test")
        self.server = Server(Settings(), worlds, EventLog())
        self.world.add("account", ACCOUNT, {"id": ACCOUNT, "name": "lab", "alias": "", "created": 0})
        self.provider = self.add_provider()
        self.add_role()

    def context(self, service: str, operation: str) -> Context:
        root = authenticate.root_caller(self.world, ACCOUNT, "AKIATEST")
        return Context(
            self.server, self.world, service, operation, str(uuid.uuid4()), base_url="http://127.0.0.1:1", caller=root
        )

    def add_provider(self, name: str = "Corp", document: str | None = None, **members: object) -> str:
        created = saml_providers.create_saml_provider(
            self.context("iam", "CreateSAMLProvider"),
            Name=name,
            SAMLMetadataDocument=document or metadata(identity().certificate_text),
            **members,
        )
        return created["SAMLProviderArn"]

    def add_role(self, arn: str = ROLE, trust: object = None, longest: int = 14400) -> None:
        account, name = arn.split(":")[4], arn.rpartition("/")[2]
        document = trust or allow(self.provider)
        self.world.refresh()
        self.world.put(
            "role",
            f"{account}/{name.lower()}",
            {
                "account": account,
                "name": name,
                "path": "/",
                "id": f"AROA{name.upper():A<17}",
                "arn": arn,
                "created": 0,
                "trust": json.dumps(document),
                "max_duration": longest,
                "tags": {},
            },
            uid=f"AROA{name.upper():A<17}",
        )

    def strict(self) -> None:
        saml_providers.set_switches(self.world, self.provider, strict=True)

    def assume(self, assertion: str, **members: object) -> dict:
        """The result of AssumeRoleWithSAML; raises AwsError. The context stays in `last`."""
        self.last = self.context("sts", "AssumeRoleWithSAML")
        self.last.caller = None
        wire = {"RoleArn": ROLE, "PrincipalArn": self.provider, "SAMLAssertion": assertion, **members}
        return asyncio.run(assume_role_with_saml(self.last, **wire))


def allow(provider: str, *, actions: tuple[str, ...] = (), condition: object = None) -> dict:
    """A trust policy for a SAML provider."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": list(actions) or ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"],
    }
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}

"""The steps of a sign-in: each is a form, and what follows the first carries, sealed, who has come as far."""

from __future__ import annotations

from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.pages import passkeys, render
from sts_emulator.pages.passkeys import Holder
from sts_emulator.pages.sessions import Cookie, open_sealed, seal_until
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire.http import Response

LIFETIME: Final = 300  # seconds between one step and the next


@dataclass(frozen=True, slots=True)
class Steps:
    """Those of one place where people sign in: the cookie of who is not signed in yet, and the name of its forms."""

    visitor: Cookie
    form: str

    def check(self, visit: Visit) -> None:
        """Raises AwsError: Refused 403, the form is not the one that this visitor was shown."""
        self.visitor.check_form(visit, self.form)

    def opened(self, visit: Visit, step: str) -> bytes:
        """Who came as far as this step, with the form of it. Raises AwsError: Refused 403."""
        self.check(visit)
        body = open_sealed(visit.world, step, visit.posted.get("step", ""))
        if body is None:
            raise AwsError("Refused", "That took too long. Sign in again.", status=403)
        return body

    def ask(self, visit: Visit, template: str, refusal: AwsError | None, **values: Any) -> Response:
        """The form of a step, with why the one before was refused."""
        header, token = self.visitor.begin(visit, self.form)
        return render.page(template, visit.root, headers=[header], token=token, **render.refused(refusal), **values)

    def ask_next(
        self, visit: Visit, template: str, step: str, body: bytes, refusal: AwsError | None, **values: object
    ) -> Response:
        """The form of a step that is not the first; `body` is who came as far."""
        sealed = seal_until(visit.world, step, body, int(visit.world.now()) + LIFETIME)
        return self.ask(visit, template, refusal, step=sealed, then=visit.posted.get("then", ""), **values)


def passkey_values(visit: Visit, home: str, holder: Holder) -> JsonObject:
    """What a form asks an authenticator, only where one of the passkeys was made, and where else to go for that."""
    party = passkeys.party(visit)
    here = party is not None and any(passkey["party"] == party.id for passkey in holder.known)
    return {
        "passkey": holder.asks_proof(visit.world, party) if party and here else None,
        "elsewhere": passkeys.elsewhere(visit, home) if holder.known else "",
    }

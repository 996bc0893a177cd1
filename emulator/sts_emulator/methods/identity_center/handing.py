"""What a person at the portal does with a role's credentials: copy them, or go to the console."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from sts_emulator.accounts.directory import Instance
from sts_emulator.core import clock
from sts_emulator.pages import render
from sts_emulator.pages.console import is_console, of_role, sign_in_token
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.assume import Vended
from sts_emulator.wire.http import Response

_CONSOLE: Final = "https://console.aws.amazon.com/"


def shown(visit: Visit, vended: Vended, role: str, instance: Instance | None = None) -> Response:
    """Credentials to copy; with an instance, also a profile of its that renews itself."""
    return render.page(
        "portal_access.html",
        visit.root,
        session=vended.session,
        credentials=vended.credentials,
        role=role,
        arn=vended.arn,
        expiration=clock.iso(vended.session.expires),
        endpoint=visit.base_url,
        region=visit.server.settings.region,
        start_url=instance["start_url"] if instance else "",
        home=instance["region"] if instance else "",
    )


def to_console(visit: Visit, vended: Vended, destination: str) -> Response:
    """Into the console, by the federation endpoint."""
    token = sign_in_token(visit.world, of_role(visit.world, vended.session, vended.session.expires))
    query = {
        "Action": "login",
        "Issuer": f"{visit.base_url}/start",
        "Destination": destination if is_console(destination) else _CONSOLE,
        "SigninToken": token,
    }
    return render.redirect(f"{visit.root}/federation?{urlencode(query)}")

"""Pages `platform/saml`: where a company's identity provider sends people back to, and what it must know of here."""

from __future__ import annotations

import asyncio

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import browsers, corporate, portal_sessions
from sts_emulator.methods.identity_center.corporate import Arrival
from sts_emulator.methods.saml.assertion_refusals import Refused
from sts_emulator.pages import render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_NOT_ACCEPTED = "What your identity provider says was not accepted. Sign in again."


@page("GET", "/platform/saml/metadata/{identifier}")
def service_provider_metadata(visit: Visit, identifier: str) -> Response:
    """For a company's identity provider: as whom Identity Center asks, and where the answer goes."""
    instance = corporate.instance_of(visit.world, identifier)
    return render.text(200, "application/samlmetadata+xml", corporate.metadata(visit, instance))


@page("POST", "/platform/saml/acs/{identifier}", refusal=as_page, foreign=True)
async def take_response(visit: Visit, identifier: str) -> Response:
    """A response: signed in, and where the person was going.

    A browser keeps our cookie to itself when another site's page posts here, so it is first made to post once more
    from a page of ours.
    """
    instance, fields = corporate.instance_of(visit.world, identifier), visit.posted
    text = fields.get("SAMLResponse", "")
    if not corporate.asked_of(visit) and "again" not in fields:
        return render.page(
            "post.html",
            visit.root,
            place="Access portal",
            action=f"{visit.root}{directory.acs_path(instance)}",
            response=text,
            relay_state=fields.get("RelayState", ""),
            again=True,
        )
    arrival = await _received(visit, instance, text)
    return browsers.enter(visit, instance, arrival.person, arrival.place, arrival.until, arrival.attributes)


async def _received(visit: Visit, instance: Instance, text: str) -> Arrival:
    with visit.attempt("signin", "CredentialVerification") as attempt:
        evidence = attempt.ctx.evidence
        evidence.update(credential="EXTERNAL_IDP", instance=instance["arn"])
        try:
            claims = await asyncio.to_thread(corporate.prove, visit, instance, text)
            evidence.update(person=claims.subject[:200], issuer=claims.issuer, assertion=claims.id)
            with visit.world.unit(lock=True):
                arrival = corporate.receive(visit, instance, claims)
            evidence.update(portal_sessions.evidence(instance, arrival.person))
        except Refused as no:
            evidence["refused"] = no.why
            raise AwsError("Refused", _NOT_ACCEPTED, status=403) from None
        attempt.result = {"CredentialVerification": "Success"}
    return arrival

"""`certs`: the lab PKI of a folder: makes what pki.yaml declares, lists it, revokes from it."""

from __future__ import annotations

import argparse
from pathlib import Path

from sts_emulator.cli import screen
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.core.terminal import printable

FOLDER = Path("certs")
_COLUMNS = ("NAME", "STATUS", "ISSUER", "SERIAL", "ENDS", "SUBJECT")


HELP = "make, list and revoke the lab's certificates"
DESCRIPTION = "Make, list and revoke the certificates of a lab PKI. What it consists of is declared in pki.yaml."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", metavar="DIR", type=Path, default=FOLDER, help="where pki.yaml is (default: certs)")
    actions = parser.add_subparsers(metavar="ACTION", dest="action")
    actions.add_parser("generate", help="make what is declared and not there yet; the default")
    listing = actions.add_parser("list", help="list every certificate with its status")
    screen.add_wide(listing)
    revoking = actions.add_parser("revoke", help="revoke a certificate and issue its authority's list anew")
    revoking.add_argument("name", metavar="NAME", help="what the certificate is called in pki.yaml")
    serving = actions.add_parser("server", help="make the certificate that the TLS port shows")
    serving.add_argument("names", metavar="NAME", nargs="*", help="further host names or addresses")
    for action in (parser, *actions.choices.values()):
        screen.add_json(action)


def run(arguments: argparse.Namespace) -> None:
    """Run one action. Raises CommandError for a mistake in the declaration and for what is not there."""
    from sts_emulator.idp.pki import PkiError
    from sts_emulator.idp.pki_declaration import DeclarationError

    actions = {None: _generate, "generate": _generate, "list": _list, "revoke": _revoke, "server": _server}
    try:
        actions[arguments.action](arguments)
    except (PkiError, DeclarationError) as error:
        raise CommandError(str(error), UNUSABLE) from None


def _generate(arguments: argparse.Namespace) -> None:
    from sts_emulator.idp import pki

    with screen.patience("making keys and certificates"):
        made = [str(arguments.folder / f"{name}.pem") for name in pki.generate(arguments.folder)]
    told = f"{len(made)} made" if made else "nothing to make: all that pki.yaml declares is there"
    screen.answer(arguments, {"made": made}, *made, told)


def _list(arguments: argparse.Namespace) -> None:
    from sts_emulator.core import clock
    from sts_emulator.idp import pki

    rows = [
        (
            certificate.name,
            certificate.status,
            certificate.issuer,
            certificate.serial,
            clock.iso(certificate.ends)[:10],
            certificate.subject,
        )
        for certificate in pki.show(arguments.folder)
    ]
    if not rows and not getattr(arguments, "json", False):
        raise CommandError(f"no certificates in {arguments.folder}; `sts-emulator certs` makes them", UNUSABLE)
    told = [dict(zip(map(str.lower, _COLUMNS), row, strict=True)) for row in rows]
    shown = [tuple(map(printable, row)) for row in (_COLUMNS, *rows)]
    screen.answer(arguments, told, *screen.table(shown, screen.room(arguments)))


def _revoke(arguments: argparse.Namespace) -> None:
    from sts_emulator.idp import pki

    crl = pki.revoke(arguments.folder, arguments.name)
    screen.answer(
        arguments,
        {"crl": str(crl)},
        str(crl),
        "it counts as soon as it is imported:",
        f"  aws rolesanywhere import-crl --name {crl.stem} --crl-data fileb://{crl} --enabled \\",
        "    --trust-anchor-arn ARN-OF-THE-TRUST-ANCHOR",
        f"or, where a list of that authority was imported before: update-crl --crl-id ID --crl-data fileb://{crl}",
    )


def _server(arguments: argparse.Namespace) -> None:
    from sts_emulator.idp import pki

    certificate, key, authority = pki.server_certificate(arguments.folder, arguments.names)
    screen.answer(
        arguments,
        {"certificate": str(certificate), "key": str(key), "authority": str(authority)},
        f"certificate  {certificate}",
        f"key          {key}",
        f"authority    {authority}  (what clients must trust)",
    )

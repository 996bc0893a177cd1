"""`mfa`: shows the codes of virtual MFA devices, as a phone would."""

from __future__ import annotations

import argparse

from sts_emulator.cli.control import add_server_options, control
from sts_emulator.cli.screen import Commands, add_json, answer


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "mfa",
        help="show the code of a virtual MFA device",
        description="Virtual MFA devices of a running emulator, by its world's clock.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    code = actions.add_parser("code", help="print the current code, for a script or a prompt", allow_abbrev=False)
    code.add_argument("serial", metavar="ARN", help="the device's serial number")
    add_json(code)
    add_server_options(code)
    code.set_defaults(run=_code)


def _code(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        code = emulator.api("GET", "worlds", arguments.world, "mfa-code", serial=arguments.serial)["code"]
    answer(arguments, {"serial": arguments.serial, "code": code}, code)

"""`mfa`: shows the codes of virtual MFA devices, as a phone would."""

from __future__ import annotations

import argparse

from sts_emulator.cli.control import control
from sts_emulator.cli.inputs import finish_action
from sts_emulator.cli.screen import answer

HELP = "show the code of a virtual MFA device"
DESCRIPTION = "Virtual MFA devices of a running emulator, by its world's clock."


def add_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    code = actions.add_parser("code", help="print the current code, for a script or a prompt")
    code.add_argument("serial", metavar="ARN", help="the device's serial number")
    finish_action(code, _code)


def _code(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        code = emulator.api("GET", "worlds", arguments.world, "mfa-code", serial=arguments.serial)["code"]
    answer(arguments, {"serial": arguments.serial, "code": code}, code)

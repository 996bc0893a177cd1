"""`sso`: what people and their tools need for Identity Center."""

from __future__ import annotations

import argparse

from sts_emulator.cli import sso_profile
from sts_emulator.cli.control import control
from sts_emulator.cli.inputs import finish_action
from sts_emulator.cli.screen import Commands, answer

HELP = "what identity providers and tools need for Identity Center"
DESCRIPTION = "Identity Center of a running emulator."


def add_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_config(actions)
    _add_scim(actions)


def _add_config(actions: Commands) -> None:
    config = actions.add_parser(
        "config",
        help="print the blocks for ~/.aws/config",
        description="Print a profile for every role that somebody is assigned, and the sso-session that they share.",
    )
    config.add_argument("--user", default=None, metavar="NAME", help="only the roles of this person")
    config.add_argument("--endpoints", action="store_true", help="with a services section that names the emulator")
    finish_action(config, _config)


def _config(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        center = emulator.api("GET", "worlds", arguments.world, "identity-center", user=arguments.user)
        endpoint = emulator.endpoint(arguments.world) if arguments.endpoints else ""
    blocks = sso_profile.blocks(center, center["roles"], center["region"], endpoint)
    answer(arguments, center, *blocks.rstrip("\n").split("\n"))


def _add_scim(actions: Commands) -> None:
    scim = actions.add_parser(
        "scim",
        help="print the SCIM endpoint and a new bearer token, for an identity provider",
        description="The token is good for a year by the world's clock; two work at a time, and the oldest makes room.",
    )
    scim.add_argument("--instance", metavar="ARN", default=None, help="where the world has several instances")
    finish_action(scim, _scim)


def _scim(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        access = emulator.api("POST", "worlds", arguments.world, "scim", instance=arguments.instance)
    answer(arguments, access, f"endpoint {access['endpoint']}", f"token    {access['token']}")

"""`import`: turns what other tools write into a scenario file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from sts_emulator.cli.inputs import account_options, add_account_options, scenario_mistakes
from sts_emulator.cli.screen import add_json, patience
from sts_emulator.core.terminal import printable, printable_json

EPILOG = """\
examples:
  terraform show -json plan.bin > plan.json
  sts-emulator import plan.json > scenario.yaml
  aws iam get-account-authorization-details > account.json
  sts-emulator import account.json -o scenario.yaml
  sts-emulator import cdk.out/App.template.json --parameter Stage=prod

What can be imported: `terraform show -json` of a plan or state, `terraform.tfstate`, CloudFormation and CDK templates
(JSON and YAML), `aws iam get-account-authorization-details`, get-role and list-roles, bare policies, OIDC providers
and IAM Roles Anywhere. What cannot be taken over is told on standard error. The same files go straight into `check`,
`lint`, `who-can`, `what-can`, `diff` and `serve --scenario`.

exit codes: 0 done; 2 a file cannot be used
"""


HELP = "turn a plan, template, account dump or policy into a scenario file"
DESCRIPTION = "Turn what other tools write into a scenario file, on standard output."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="what to import; `-` is standard input")
    parser.add_argument("--output", "-o", metavar="FILE", help="write it there")
    add_json(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="do not tell what was left out")
    add_account_options(parser)


def run(arguments: argparse.Namespace) -> None:
    from sts_emulator.cli.who_can import save
    from sts_emulator.scenario.inventories import read_inventory
    from sts_emulator.scenario.load import read_bytes
    from sts_emulator.scenario.repeats import repeated_things
    from sts_emulator.scenario.write import scenario_data, scenario_lines

    inventories = []
    for file in arguments.files:
        name = "(standard input)" if file == "-" else file
        with scenario_mistakes(), patience(f"reading {name}"):
            data = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
            inventory = read_inventory(data, name, *account_options(arguments))
        inventories.append((name, inventory))
    notes = [note.told(name) for name, inventory in inventories for note in inventory.notes]
    for line in () if arguments.quiet else (*notes, *repeated_things(inventories)):
        print(printable(line), file=sys.stderr)
    lines: Iterable[str] = scenario_lines(inventories)
    if getattr(arguments, "json", False):
        lines = (printable_json(scenario_data(inventories)), "\n")
    if arguments.output:
        save(Path(arguments.output), lines)
    else:
        sys.stdout.writelines(lines)

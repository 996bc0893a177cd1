"""`credential-process`: credentials for a certificate, printed as every AWS SDK's `credential_process` reads them.

It takes the options of AWS's `aws_signing_helper credential-process`, and stands in for it where that is not installed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sts_emulator.cli.control import DEFAULT_WORLD, add_server_options, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.inputs import file_trouble
from sts_emulator.cli.screen import answer
from sts_emulator.core.terminal import printable

HELP = "credentials for a certificate, as `credential_process` of AWS's configuration files wants them"
DESCRIPTION = (
    "Sign CreateSession of IAM Roles Anywhere with a certificate's key, and print the credentials as "
    "JSON. The options are those of AWS's `aws_signing_helper credential-process`, which does the same."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--certificate", metavar="FILE", type=Path, required=True, help="the certificate (PEM)")
    parser.add_argument("--private-key", metavar="FILE", type=Path, required=True, help="its private key (PEM)")
    parser.add_argument("--intermediates", metavar="FILE", type=Path, help="authorities between it and the anchor")
    parser.add_argument("--trust-anchor-arn", metavar="ARN", required=True)
    parser.add_argument("--profile-arn", metavar="ARN", required=True)
    parser.add_argument("--role-arn", metavar="ARN", required=True)
    parser.add_argument("--session-duration", metavar="SECONDS", type=int)
    parser.add_argument("--endpoint", metavar="URL", help="of IAM Roles Anywhere (default: the emulator's)")
    add_server_options(parser)
    parser.set_defaults(json=True)
    parser.add_argument("--json", action="store_true", help="what it prints is always JSON")


def run(arguments: argparse.Namespace) -> None:
    from http.client import HTTPException

    from sts_emulator.idp.x509_signer import RefusedError, create_session

    parameters = {
        "trustAnchorArn": arguments.trust_anchor_arn,
        "profileArn": arguments.profile_arn,
        "roleArn": arguments.role_arn,
        **({"durationSeconds": arguments.session_duration} if arguments.session_duration else {}),
    }
    certificate, key, chain = _evidence(arguments)
    endpoint = _endpoint(arguments)
    try:
        given = create_session(endpoint, certificate, key, parameters, chain)
        told = {
            "Version": 1,
            "AccessKeyId": given["accessKeyId"],
            "SecretAccessKey": given["secretAccessKey"],
            "SessionToken": given["sessionToken"],
            "Expiration": given["expiration"],
        }
    except RefusedError as refused:
        raise CommandError(str(refused)) from None
    except OSError as error:
        raise CommandError(f"IAM Roles Anywhere does not answer: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, HTTPException):
        raise CommandError(f"what answers at {endpoint} is not IAM Roles Anywhere; name it with --endpoint") from None
    answer(arguments, told)


def _endpoint(arguments: argparse.Namespace) -> str:
    if arguments.endpoint:
        return str(arguments.endpoint)
    with control(arguments) as emulator:
        emulator.meet()
        return emulator.endpoint(arguments.world or DEFAULT_WORLD)


def _evidence(arguments: argparse.Namespace) -> tuple[Any, Any, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate = _read(arguments.certificate, x509.load_pem_x509_certificate, "a certificate in PEM")
    key = _read(arguments.private_key, lambda data: load_pem_private_key(data, None), "a private key in PEM")
    chain = arguments.intermediates
    return certificate, key, _read(chain, x509.load_pem_x509_certificates, "certificates in PEM") if chain else ()


def _read(path: Path, load: Any, what: str) -> object:
    try:
        with file_trouble(printable(str(path))):
            return load(path.read_bytes())
    except (ValueError, TypeError):
        raise CommandError(f"{printable(str(path))}: is not {what}", UNUSABLE) from None

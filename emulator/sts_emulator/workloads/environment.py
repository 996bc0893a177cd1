"""The environment variables by which a program finds where it runs, for each kind of workload."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

REAL: Final[Mapping[str, str]] = {"imds": "", "ecs": "http://169.254.170.2", "pod-identity": "http://169.254.170.23"}
"""Where AWS has the endpoints; IMDS needs no variable."""

AUTHORITY: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables that name an authority to trust: the AWS CLI and boto3, requests, OpenSSL (Go, Rust, C++), curl, Node
(docs/aws/clients.md, "Transparent mode"). Each client reads another."""

TRUST_STORE_PASSWORD: Final = "changeit"  # noqa: S105 - what every Java installation has
"""Java reads certificates out of a store with a password, which protects nothing here."""


def variables(started: Mapping[str, Any], addresses: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What the program is given.

    `started` is what the control API said of the workload, `addresses` where each endpoint is (REAL, or a URL on this
    machine), and `folder` holds the workload's token files.
    """
    details = started["details"]
    environment = {"AWS_REGION": started["region"], "AWS_DEFAULT_REGION": started["region"]}
    if started["kind"] == "ec2":
        return environment | ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": addresses["imds"]} if addresses["imds"] else {})
    return environment | {"AWS_EC2_METADATA_DISABLED": "true"} | _KINDS[started["kind"]](details, addresses, folder)


def _task(details: Mapping[str, Any], addresses: Mapping[str, str], _: Path) -> dict[str, str]:
    base = addresses["ecs"]
    environment = {"ECS_CONTAINER_METADATA_URI_V4": base + details["metadata"], "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}
    if details["token"]:
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = details["token"]
    elif base == REAL["ecs"]:
        return {**environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": details["credentials"]}
    return {**environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI": base + details["credentials"]}


def _pod(details: Mapping[str, Any], addresses: Mapping[str, str], folder: Path) -> dict[str, str]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": addresses["pod-identity"] + details["credentials"],
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "eks-pod-identity-token"),
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }


def _service_account(details: Mapping[str, Any], _: Mapping[str, str], folder: Path) -> dict[str, str]:
    return {
        "AWS_ROLE_ARN": details["role"],
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"),
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }


def _function(details: Mapping[str, Any], addresses: Mapping[str, str], _: Path) -> dict[str, str]:
    environment = dict(details["environment"])
    if "credentials" in details:  # SnapStart
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = addresses["lambda"] + details["credentials"]
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = details["token"]
    return environment


_KINDS = {"ecs": _task, "eks": _pod, "irsa": _service_account, "lambda": _function}


def trusting(authority: str, folder: Path) -> dict[str, str]:
    """Write the authority (PEM) into the folder in the forms that clients read, and say where in their variables."""
    pem = folder / "authority.pem"
    pem.write_text(authority, "ascii")
    store = folder / "authority.p12"
    store.write_bytes(_trust_store(authority))
    java = (
        f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStoreType=PKCS12 "
        f"-Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD}"
    )
    return {**dict.fromkeys(AUTHORITY, str(pem)), "SSL_CERT_DIR": str(folder), "JAVA_TOOL_OPTIONS": java}


def _trust_store(authority: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    certificate = x509.load_pem_x509_certificate(authority.encode())
    named = pkcs12.PKCS12Certificate(certificate, b"sts-emulator")
    return pkcs12.serialize_java_truststore([named], BestAvailableEncryption(TRUST_STORE_PASSWORD.encode()))

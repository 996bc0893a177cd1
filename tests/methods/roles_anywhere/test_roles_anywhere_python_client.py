"""AWS's own Python client, iam_rolesanywhere_session, unmodified. It speaks https only: the lab's TLS authority is used."""

from __future__ import annotations

import pytest
from iam_rolesanywhere_session import CredentialsRetrievalError, IAMRolesAnywhereSession
from roles_anywhere_stage import tls


@pytest.fixture
def connect(stage, tmp_path):
    with tls(stage.aws.endpoint_url, tmp_path) as (endpoint, authority):

        def make(name, **options):
            chain = stage.folder / f"{name}.chain.pem"
            given = {
                "profile_arn": stage.profile,
                "role_arn": stage.role,
                "trust_anchor_arn": stage.anchor,
                "certificate": (stage.folder / f"{name}.pem").read_bytes(),
                "private_key": (stage.folder / f"{name}.key").read_bytes(),
                "certificate_chain": chain.read_bytes() if chain.exists() else None,
                "endpoint": endpoint,
                "verify": authority,
            }
            return IAMRolesAnywhereSession(**{**given, **options})

        yield make


def whoami(session, stage):
    client = session.get_session().client("sts", endpoint_url=stage.aws.endpoint_url)
    return client.get_caller_identity()["Arn"]


@pytest.mark.parametrize("name", ["web-01", "batch-01", "edge-01"])
def test_it_gets_credentials_with_elliptic_curves_and_rsa(connect, stage, name):
    assert whoami(connect(name), stage).endswith(f":assumed-role/workload/{stage.identity(name).serial}")


def test_it_can_name_its_session_and_describe_its_host(connect, stage):
    stage.set_profile(acceptRoleSessionName=True)
    session = connect("web-01", role_session_name="pod-7", instance_properties={"host": "rack-7"})

    assert whoami(session, stage).endswith(":assumed-role/workload/pod-7")


def test_it_is_told_why_not(connect, stage):
    stage.import_crl()

    with pytest.raises(CredentialsRetrievalError) as refused:
        whoami(connect("stolen-laptop"), stage)
    assert (refused.value.status_code, refused.value.message) == (403, "Certificate revoked")


def test_it_refuses_a_server_that_the_lab_authority_does_not_vouch_for(connect, stage):
    session = connect("web-01", verify=str(stage.folder / "rogue-root.pem"))

    with pytest.raises(Exception, match="certificate verify failed"):
        whoami(session, stage)

"""Trust anchors and profiles as a scenario declares them, and certificates in its expectations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from roles_anywhere_stage import REPOSITORY, Stage

from sts_emulator.cli.errors import CommandError
from sts_emulator.cli.main import main

ACCOUNT = "111122223333"
ANCHOR = f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/11111111-1111-4111-8111-111111111111"
PROFILE = f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:profile/22222222-2222-4222-8222-222222222222"


def indented(text, width):
    return "".join(" " * width + line + "\n" for line in text.splitlines())


def scenario(folder, **profile):
    """A role, an anchor of the lab's root with its list, and a profile, all with the certificates written out."""
    members = "".join(f"        {name}: {value}\n" for name, value in profile.items())
    return f"""
accounts:
  "{ACCOUNT}":
    roles:
      workload:
        trust:
          - Effect: Allow
            Principal: {{Service: rolesanywhere.amazonaws.com}}
            Action: [sts:AssumeRole, sts:TagSession, sts:SetSourceIdentity]
    trust_anchors:
      lab:
        id: 11111111-1111-4111-8111-111111111111
        certificates: |
{indented((folder / "lab-root.pem").read_text(), 10)}
        crls:
          issuing: |
{indented((folder / "lab-issuing.crl").read_text(), 12)}
      private: {{private_ca: Private CA of the lab}}
    roles_anywhere_profiles:
      workloads:
        id: 22222222-2222-4222-8222-222222222222
        roles: workload
{members}
"""


@pytest.fixture
def seeded(aws, folder):
    aws.load(scenario(folder))
    return Stage(aws, folder, ANCHOR, PROFILE, f"arn:aws:iam::{ACCOUNT}:role/workload")


def control(stage):
    return stage.aws.client("rolesanywhere", stage.aws.credentials(account=ACCOUNT))


def test_what_a_scenario_declares_works_at_once_and_under_fixed_arns(seeded):
    assert seeded.session("web-01").status == 201
    assert seeded.session("stolen-laptop").error == "AccessDeniedException: Certificate revoked"


def test_loading_it_again_changes_what_changed_and_doubles_nothing(seeded, folder):
    seeded.aws.load(scenario(folder, session_names="true", mappings="{x509Subject: CN}", duration="900"))

    (profile,) = control(seeded).list_profiles()["profiles"]
    assert len(control(seeded).list_trust_anchors()["trustAnchors"]) == 2
    assert len(control(seeded).list_crls()["crls"]) == 1
    assert (profile["profileArn"], profile["acceptRoleSessionName"], profile["durationSeconds"]) == (PROFILE, True, 900)
    assert profile["attributeMappings"] == [{"certificateField": "x509Subject", "mappingRules": [{"specifier": "CN"}]}]


def test_a_profile_can_be_declared_disabled(seeded, folder):
    seeded.aws.load(scenario(folder, enabled="false"))

    assert seeded.session("web-01").status == 403


def test_a_private_ca_is_made_once(seeded, folder):
    seeded.aws.load(scenario(folder))

    sources = [anchor["source"] for anchor in control(seeded).list_trust_anchors()["trustAnchors"]]
    (arn,) = [source["sourceData"]["acmPcaArn"] for source in sources if source["sourceType"] == "AWS_ACM_PCA"]
    issued = seeded.aws.page(
        "POST", f"private-ca/{arn.rpartition('/')[2]}/certificates", body={"subject": {"CN": "pod"}}
    )
    assert "BEGIN CERTIFICATE" in issued["certificate"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trust_anchors: {lab: {}}", "a trust anchor needs either `certificates` or a `private_ca`"),
        ("trust_anchors: {lab: {certificates: hello}}", "ValidationException: Error creating TrustAnchor. Bad cert"),
        ("trust_anchors: {lab: {private_ca: X, id: ABC}}", "`ABC` is not a lower-case UUID"),
        ("trust_anchors: {lab: {certificates: {pki: x, authorities: y}}}", "only a scenario that is itself a file"),
        ("trust_anchors: {lab: {certificates: {fil: x}}}", "expected PEM text, `file`, or `pki` and `authorities`"),
        ("roles_anywhere_profiles: {web: {roles: nobody}}", f"no role `nobody` in account {ACCOUNT}"),
    ],
)
def test_mistakes_are_told_with_their_line(aws, text, message):
    with pytest.raises(CommandError) as told:
        aws.load(f'accounts:\n  "{ACCOUNT}":\n    {text}\n')
    assert ":3: " in str(told.value)
    assert message in str(told.value)


# -- files and expectations -------------------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path, folder):
    """The repository's own scenario beside a lab PKI."""
    shutil.copytree(folder, tmp_path / "certs")
    (tmp_path / "trust_policies").mkdir()
    return Path(shutil.copy(REPOSITORY / "trust_policies" / "roles-anywhere.yaml", tmp_path / "trust_policies"))


def test_the_repositorys_scenario_keeps_its_own_expectations(copied, capsys):
    assert main(["check", str(copied)]) == 0
    assert "0 did not" in capsys.readouterr().out


def test_a_lab_pki_that_is_not_there_yet_is_made(copied, tmp_path):
    for file in (tmp_path / "certs").iterdir():
        if file.name != "pki.yaml":
            file.unlink()

    assert main(["check", str(copied)]) == 0
    assert (tmp_path / "certs" / "web-01.key").exists()


def expecting(copied, expectation):
    text = copied.read_text()
    copied.write_text(text[: text.index("expect:")] + f"expect:\n  - {expectation}\n")


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        ("{subject: {CN: x}, profile: nobody}", "no profile `nobody`"),
        ("{subject: {CN: x}}", "more than one profile"),
        ("{subject: {XX: x}, profile: nodes}", "unknown name type `XX`"),
        ("{cn: x}", "unknown member `cn` of a certificate"),
        ("{profile: nodes}", "a certificate needs a `subject`"),
    ],
)
def test_mistakes_in_an_expectation(copied, capsys, certificate, message):
    expecting(copied, f"{{assume: anywhere-node, with: {{certificate: {certificate}}}}}")

    assert main(["check", str(copied)]) == 2
    assert message in capsys.readouterr().out


def test_an_authority_that_the_pki_does_not_declare(copied, capsys):
    copied.write_text(copied.read_text().replace("[lab-root]", "[no-such]"))

    assert main(["check", str(copied)]) == 2
    assert "declares no authority `no-such`" in capsys.readouterr().out

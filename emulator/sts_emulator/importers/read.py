"""Recognises what kind of file it is, and reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sts_emulator.importers import authorization_details, bare, cloudformation, pulumi, terraform, terraform_state
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.stacks import Stack

KNOWN: Final = (
    "`terraform show -json` of a plan or state, `terraform.tfstate`, `pulumi preview --json`, `pulumi stack export`, "
    "a CloudFormation or CDK template, "
    "`aws iam get-account-authorization-details`, get-role or list-roles, a bare policy, "
    "an OIDC provider or IAM Roles Anywhere definitions"
)
_ROLES_ANYWHERE = ("trustAnchor", "trustAnchors", "profile", "profiles", "roleArns")


def read_json(
    source: JsonText, account: str = "", parameters: Mapping[str, str] | None = None, stack: Stack | None = None
) -> Inventory:
    """Everything of a JSON file that can be imported.

    `account` is the one of what does not say in which it lives; empty: guessed. `parameters` are those of a template,
    and `stack` is what is known about it beside.

    Raises:
        BadInput: not JSON, of no known kind, or with a mistake.
    """
    names = source.top.keys()
    if "Resources" in names:
        return cloudformation.read(source, account, parameters or {}, stack)
    for members, read in _KINDS:
        if any(member <= names for member in members):
            contents = read(source, account)
            for name in parameters or ():
                contents.note(1, f"is no template, so it has no parameter `{name}`")
            return contents
    raise BadInput(_complaint(source), 1)


_KINDS: Final[tuple[tuple[tuple[frozenset[str], ...], Callable[[JsonText, str], Inventory]], ...]] = (
    ((frozenset({"planned_values"}), frozenset({"values", "terraform_version"})), terraform.read),
    ((frozenset({"lineage", "resources"}), frozenset({"terraform_version", "resources"})), terraform_state.read),
    ((frozenset({"steps"}), frozenset({"deployment"})), pulumi.read),
    ((frozenset({"RoleDetailList"}), frozenset({"UserDetailList"})), authorization_details.read_account),
    ((frozenset({"Role"}), frozenset({"Roles"})), authorization_details.read_roles),
    ((frozenset({"Statement"}),), bare.read_policy),
    ((frozenset({"Url"}),), bare.read_oidc_provider),
    ((frozenset({"OpenIDConnectProviderList"}),), bare.read_provider_list),
    (
        (*map(frozenset, ({item} for item in _ROLES_ANYWHERE)), frozenset({"name", "source"})),
        bare.read_roles_anywhere,
    ),
)
"""Members that tell the kind, any of the sets, and what reads it."""


def _complaint(source: JsonText) -> str:
    names = source.top.keys()
    if "encrypted_data" in names:
        return "is encrypted by OpenTofu; `tofu show -json` writes what can be read here"
    if "lineage" in names:
        return "is Terraform's own state file of an old version; `terraform show -json` writes what can be read here"
    if "format_version" in names or "terraform_version" in names:
        return "is an empty state, or a plan without resources"
    if "artifacts" in names:
        return "is the manifest of a CDK app; name the folder, or the *.template.json files in it"
    if not source.is_object(source.start):
        source.plain()  # says what is wrong, if it is not JSON at all
    return f"is none of what can be imported: {KNOWN}"

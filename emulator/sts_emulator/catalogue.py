"""The catalogue of methods and other services: what each brings, by name, so that nothing is loaded before it is used.

A ninth method is a package of its own and a row of `METHODS`: see docs/adding-a-method.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from sts_emulator.policy.light_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A key of the scenario vocabulary: where it is written, and the module and name of what reads it.

    The module is loaded when a scenario has the key: all of them would take 15 ms of every start. `is_last`: it comes
    about when all else has, the organization included.
    """

    key: str
    scope: Literal["account", "world"]
    module: str
    name: str = "SECTION"
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proof that an expectation can suppose under `key`; `callers` are the types, or services, of whom it proves.

    Its module has `present(call, expectation, role_arn, given)`, which makes the request that is meant, and as its
    inverse `supposed(world, principal, keys)`: what to write for a request of such a caller (scenario/evidence.py).
    """

    key: str
    callers: tuple[str, ...]
    module: str


@dataclass(frozen=True, slots=True)
class Trail:
    """How CloudTrail records an operation that gives credentials: as reading, with its answer.

    `stranger` is the type of the caller where nobody signed and the proof failed.
    """

    stranger: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to get credentials: its operations by service, its pages by first segment, and what scenarios know of it.

    `approvers` are modules whose pages a script may approve on (pages/approvals.py), `trails` are told by operation.
    """

    name: str
    operations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    approvers: tuple[str, ...] = ()
    sections: tuple[Row, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    trails: Mapping[str, Trail] = field(default_factory=dict)


def _rooms(package: str, *modules: str) -> tuple[str, ...]:
    return tuple(f"{package}.{module}" for module in modules)


GROUPS = Row("groups", "account", "sts_emulator.scenario.users_and_groups", "GROUPS")
USERS = Row("users", "account", "sts_emulator.scenario.users_and_groups", "USERS")
ROLES = Row("roles", "account", "sts_emulator.scenario.roles_and_profiles", "ROLES")

SIGNATURE = Evidence(
    "caller",
    ("user", "assumed-role", "root", "federated-user", "service"),
    "sts_emulator.scenario.signed_evidence",
)
"""An expectation's `caller`: whose keys sign the request, or which service makes it."""

METHODS = (
    Method(
        "access keys",
        {"sts": ("sts_emulator.methods.access_keys.session_tokens",)},
        sections=(GROUPS, USERS),
        evidence=(SIGNATURE,),
        trails={"GetSessionToken": Trail()},
    ),
    Method(
        "instance profile",
        {
            "ec2": _rooms("sts_emulator.methods.instance_profile", "ec2", "metadata_defaults"),
            "eks": ("sts_emulator.methods.instance_profile.eks",),
            "eks-auth": ("sts_emulator.methods.instance_profile.pods",),
        },
        {
            "imds": ("sts_emulator.methods.instance_profile.imds",),
            "ecs": ("sts_emulator.methods.instance_profile.ecs",),
            "pod-identity": ("sts_emulator.methods.instance_profile.pods",),
            "lambda": ("sts_emulator.methods.instance_profile.functions",),
        },
        sections=(
            Row("instance_profiles", "account", "sts_emulator.scenario.roles_and_profiles", "INSTANCE_PROFILES"),
            *(
                Row(key, "account", "sts_emulator.scenario.workloads", key.upper())
                for key in ("instances", "tasks", "clusters", "functions")
            ),
        ),
        evidence=(SIGNATURE,),
    ),
    Method(
        "identity center",
        {
            "sso-oidc": _rooms("sts_emulator.methods.identity_center", "oidc", "application_tokens"),
            "sso": ("sts_emulator.methods.identity_center.portal",),
            "account-access-runtime": ("sts_emulator.methods.identity_center.access_runtime",),
        },
        {
            "start": _rooms(
                "sts_emulator.methods.identity_center",
                "portal_pages",
                "sign_in_pages",
                "mfa_pages",
                "authenticator_pages",
                "access_pages",
                "consent_pages",
            ),
            "authorize": ("sts_emulator.methods.identity_center.consent_pages",),
            "platform": ("sts_emulator.methods.identity_center.corporate_pages",),
            "instance": ("sts_emulator.methods.identity_center.app_instances",),
            "/federation/console": ("sts_emulator.methods.identity_center.portal_pages",),
        },
        approvers=("sts_emulator.methods.identity_center.approvers",),
        # Its accounts are the organization's.
        sections=(Row("identity_center", "world", "sts_emulator.scenario.identity_center", is_last=True),),
        evidence=(SIGNATURE,),
    ),
    Method(
        "console login",
        {
            "signin": _rooms(
                "sts_emulator.methods.console_login", "operation", "sessions", "bearer_tokens", "console_authorization"
            )
        },
        {
            "signin": _rooms("sts_emulator.methods.console_login", "sign_in_pages", "mfa_pages"),
            "/v1/authorize": ("sts_emulator.methods.console_login.authorize_pages",),
            "/v1/sessions/confirmation": ("sts_emulator.methods.console_login.authorize_pages",),
        },
        approvers=("sts_emulator.methods.console_login.approvers",),
        sections=(USERS,),
        evidence=(SIGNATURE,),
    ),
    Method(
        "assume role",
        {
            "sts": _rooms(
                "sts_emulator.methods.assume_role",
                "assume_role",
                "assume_root",
                "scoped_credentials",
                "delegated_access",
            )
        },
        sections=(ROLES,),
        evidence=(SIGNATURE,),
        trails={"AssumeRole": Trail()},
    ),
    Method(
        "web identity",
        {"sts": ("sts_emulator.methods.web_identity.assume_role_with_web_identity",)},
        {"issuers": _rooms("sts_emulator.idp", "issuer_pages", "issuer_sign_in")},
        sections=(
            Row("issuers", "world", "sts_emulator.scenario.providers", "ISSUERS"),
            Row("oidc_providers", "account", "sts_emulator.scenario.providers", "OIDC_PROVIDERS"),
        ),
        evidence=(Evidence("claims", ("oidc",), "sts_emulator.scenario.token_evidence"),),
        trails={"AssumeRoleWithWebIdentity": Trail("WebIdentityUser")},
    ),
    Method(
        "saml",
        {"sts": ("sts_emulator.methods.saml.assume_role_with_saml",)},
        {
            "saml": ("sts_emulator.methods.saml.signin",),
            "idp": ("sts_emulator.idp.saml_pages",),
            "console": ("sts_emulator.console.landing",),
            "/federation": ("sts_emulator.console.federation",),  # this path alone: below it is the SSO portal
        },
        sections=(
            Row("saml_idps", "world", "sts_emulator.scenario.saml", "IDPS"),
            Row("saml_providers", "account", "sts_emulator.scenario.saml", "PROVIDERS"),
        ),
        evidence=(Evidence("saml", ("saml",), "sts_emulator.scenario.saml_evidence"),),
        trails={"AssumeRoleWithSAML": Trail("SAMLUser")},
    ),
    Method(
        "cognito",
        {
            "cognito-identity": _rooms(
                "sts_emulator.methods.cognito", "sign_in", "pool_settings", "role_settings", "developers"
            )
        },
        approvers=("sts_emulator.idp.user_pools.managed_login.login_approver",),
        sections=(
            Row("user_pools", "account", "sts_emulator.scenario.user_pools"),
            Row("identity_pools", "account", "sts_emulator.scenario.identity_pools"),
            Row("hooks", "world", "sts_emulator.scenario.trigger_hooks"),
        ),
        evidence=(Evidence("cognito", ("cognito-identity.amazonaws.com",), "sts_emulator.scenario.identity_pools"),),
    ),
    Method(
        "roles anywhere",
        {
            "rolesanywhere": _rooms(
                "sts_emulator.methods.roles_anywhere", "session", "anchors", "profiles", "crls", "subjects", "tagging"
            )
        },
        {"private-ca": ("sts_emulator.idp.private_ca",)},
        sections=(
            Row("trust_anchors", "account", "sts_emulator.scenario.roles_anywhere", "TRUST_ANCHORS"),
            Row("roles_anywhere_profiles", "account", "sts_emulator.scenario.roles_anywhere", "PROFILES"),
        ),
        evidence=(Evidence("certificate", ("rolesanywhere.amazonaws.com",), "sts_emulator.scenario.roles_anywhere"),),
    ),
)

# What is no way to get credentials, and stands beside the ways.
SERVICES = (
    # Where the identities of all methods are set up.
    Method(
        "identities",
        {
            "iam": _rooms(
                "sts_emulator.iam",
                "principals.users",  # first what scenarios are made of: the others then load later, if ever
                "principals.roles",
                "policies.policy_holders",
                "policies.managed",
                "providers.oidc_providers",
                "principals.groups",
                "credentials.access_keys",
                "reporting.account",
                "reporting.account_properties",
                "reporting.root_access",
                "credentials.mfa_devices",
                "credentials.login_profiles",
                "credentials.service_credentials",
                "credentials.ssh_keys",
                "credentials.signing_certificates",
                "credentials.server_certificates",
                "principals.service_linked_roles",
                "principals.acquired_roles",
                "principals.instance_profiles",
                "providers.saml_providers",
                "delegation.requests",
                "reporting.authorization_details",
                "reporting.credential_reports",
                "reporting.access_reports",
                "reporting.organization_reports",
                "reporting.context_keys",
                "reporting.simulate",
            )
        },
    ),
    Method(
        "organizations",
        {
            "organizations": _rooms(
                "sts_emulator.organizations", "structure", "control_policies", "trusted_access", "delegation"
            )
        },
    ),
    # The control plane of people, who come in through Identity Center.
    Method(
        "people",
        {
            "sso-admin": _rooms(
                "sts_emulator.identity",
                "instances",
                "permission_sets",
                "account_assignments",
                "resource_tags",
                "applications",
                "application_settings",
                "token_issuers",
            ),
            "identitystore": _rooms("sts_emulator.identity", "users", "groups", "stores"),
            "account-access": _rooms("sts_emulator.identity", "access_applications", "entitlements"),
        },
        {"scim": ("sts_emulator.identity.scim",)},
    ),
    Method(
        "explanations",
        {
            "sts": ("sts_emulator.audit.explanations",),
            "iam-toolbox": ("sts_emulator.audit.explanations",),
            "cloudtrail": ("sts_emulator.audit.cloudtrail",),
        },
    ),
    Method(
        "user pools",
        {
            "cognito-idp": _rooms(
                "sts_emulator.idp.user_pools",
                "signin",  # first what an app calls: the others then load later, if ever
                "own_account",
                "sign_up",
                "refreshing",
                "mfa",
                "passkey_registration",
                "devices",
                "user_sessions",
                "derived_tokens",
                "client_tokens",
                "user_factors",
                "client_secrets",
                "kept_settings",
                "import_jobs",
                "pools",
                "clients",
                "pool_users",
                "pool_groups",
                "domains",
                "managed_login.branding",
                "managed_login.terms",
                "federation.pool_providers",
                "federation.saml_keys",
                "federation.links",
            )
        },
        {
            "*/.well-known": ("sts_emulator.idp.user_pools.pages",),
            "user-pools": _rooms("sts_emulator.idp.user_pools", "token_page", "import_pages"),
            "oauth2": _rooms(
                "sts_emulator.idp.user_pools",
                "managed_login.login_pages",
                "managed_login.token_endpoints",
                "federation.federation_pages",
            ),
            "passkeys": ("sts_emulator.idp.user_pools.managed_login.passkey_pages",),
            "saml2": _rooms("sts_emulator.idp.user_pools.federation", "federation_pages", "saml_sign_out"),
            # A POST to /logout is an operation of the portal's.
            **dict.fromkeys(
                ("login", "GET /logout", "error"),
                _rooms("sts_emulator.idp.user_pools.managed_login", "login_pages", "looks"),
            ),
            **dict.fromkeys(
                (
                    *("signup", "confirm", "confirmUser", "resendcode", "forgotPassword"),
                    *("confirmForgotPassword", "confirmforgotPassword"),
                ),
                ("sts_emulator.idp.user_pools.managed_login.sign_up_pages",),
            ),
        },
    ),
    Method(
        "console",
        {},
        {
            "_emulator": _rooms("sts_emulator.web", "timeline", "live"),
            "_emulator/attempts": _rooms("sts_emulator.web", "attempt", "replay"),
            "_emulator/compare": ("sts_emulator.web.attempt",),
            "_emulator/world": ("sts_emulator.web.time_and_faults",),
            "_emulator/mailbox": ("sts_emulator.web.mail",),
            "_emulator/worlds": ("sts_emulator.web.worlds",),
            "_emulator/explorer": _rooms("sts_emulator.web", "explorer", "trust_editor"),
            "_emulator/workbench": ("sts_emulator.web.workbench",),
            "_emulator/labs": ("sts_emulator.web.labs",),
            "_emulator/class": ("sts_emulator.web.class_room",),
        },
    ),
    # The token that STS signs for others to verify is evidence, so it is made where evidence is made.
    Method(
        "outbound federation", {"sts": ("sts_emulator.idp.outbound",)}, {"outbound": ("sts_emulator.idp.outbound",)}
    ),
)

APIS = ("sts_emulator.labs.api",)
"""Modules whose `router` is part of the control API, from rooms above it."""

_SECTIONS = (
    Row("import", "world", "sts_emulator.scenario.imports"),
    *(section for method in METHODS for section in method.sections if section.scope == "world" and not section.is_last),
    *(Row("policies", "account", "sts_emulator.scenario.policies"), GROUPS, USERS, ROLES),  # what all others build on
    *(section for method in METHODS for section in method.sections if section.scope == "account"),
    Row("delegation_templates", "account", "sts_emulator.scenario.delegation"),
    Row("organization", "world", "sts_emulator.scenario.organization"),
    *(section for method in METHODS for section in method.sections if section.is_last),
    Row("decider", "world", "sts_emulator.scenario.deciders"),
    Row("eventual_consistency", "world", "sts_emulator.scenario.consistency"),  # what a scenario declares is known
)
SECTIONS = tuple(dict.fromkeys(_SECTIONS))
"""The vocabulary of scenarios, in the order in which things come about."""

EVIDENCE = {evidence.key: evidence for method in METHODS for evidence in method.evidence}

TRAILS = {operation: trail for method in METHODS for operation, trail in method.trails.items()}

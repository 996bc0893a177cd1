"""What a world stores: one shape a kind of document, and each kind as a typed constant.

`world.get(ROLE, key)` is a `Role` or None, so that a misspelt member is a type error; at run time a kind is the text
that stands in the table, and a document is the JSON object that was stored. Times are seconds since the epoch by the
world's clock; policy documents are JSON text. A *named* thing is keyed `ACCOUNT/name` in lower case (resources.key_of).
What is told in a kind's comment is its key and, where it can be found by another name too, its uid.

Instances and clusters (compute), Roles Anywhere (anywhere) and directories (directory) have a file of their own, and
kinds that only one file reads and writes may be declared there, in the same way.
"""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from sts_emulator.accounts.propagation import Propagation
from sts_emulator.core.store import Kind

Tags = dict[str, str]


class Password(TypedDict):
    """A user's password for the console."""

    salt: str
    hash: str
    changed: int
    created: int
    reset: bool
    earlier: list[dict[str, str]]  # salts and hashes of those that may not come back
    used: NotRequired[int]
    max_signin_duration: NotRequired[int]


class Version(TypedDict):
    """One version of a managed policy."""

    text: str
    created: int


class Account(TypedDict):
    """An account and what is set for all of it."""

    id: str
    name: str
    alias: str
    created: int
    password_policy: NotRequired[dict[str, Any]]  # as the wire has it
    token_version: NotRequired[str]
    outbound_enabled: NotRequired[bool]
    outbound_issuer: NotRequired[str]  # a uuid


class AccessKey(TypedDict):
    """A long-term key of a user, or of root where `user` is empty."""

    id: str
    account: str
    user: str
    secret: str
    status: str  # Active, Inactive
    created: int


class Named(TypedDict):
    """What every named thing of IAM has."""

    account: str
    name: str
    path: str
    id: str
    arn: str
    created: int


class Holder(Named):
    """What can have policies: a user, group or role."""

    inline: dict[str, str]  # texts by name
    attached: list[str]  # ARNs


class User(Holder):
    """An IAM user."""

    tags: Tags
    groups: list[str]
    boundary: NotRequired[str]  # an ARN
    password: NotRequired[Password]


class Group(Holder):
    """A group of users; they name it, it does not name them."""


class SourceTemplate(TypedDict):
    """What a role was made from: a role template, its version, and the values that were filled in."""

    arn: str
    minor: int
    values: dict[str, list[str]]


class Role(Holder):
    """An IAM role."""

    tags: Tags
    trust: str
    description: str
    max_duration: int
    boundary: NotRequired[str]
    max_signin_duration: NotRequired[int]
    template: NotRequired[SourceTemplate]


class Policy(Named):
    """A managed policy of an account."""

    updated: int
    description: str
    tags: Tags
    default: str  # `v1`
    versions: dict[str, Version]
    last: NotRequired[int]  # the highest number that was ever given


class InstanceProfile(Named):
    """What gives a role to an instance."""

    tags: Tags
    roles: list[str]  # one name at most


class OidcProvider(TypedDict):
    """An OpenID Connect provider of an account."""

    account: str
    url: str  # without its scheme
    arn: str
    client_ids: list[str]
    thumbprints: list[str]
    created: int
    tags: Tags
    jwks: NotRequired[dict[str, Any] | None]  # a static key set
    propagation: NotRequired[Propagation]


class SamlProvider(TypedDict):
    """A SAML provider of an account."""

    account: str
    name: str
    arn: str
    uuid: str
    metadata: str
    issuers: dict[str, list[str]]  # certificates by entity id
    valid_until: int
    created: int
    tags: Tags
    encryption: NotRequired[str]  # Required, Allowed
    private_keys: NotRequired[list[dict[str, Any]]]  # id, pem, created
    strict: NotRequired[bool]
    sha1: NotRequired[bool]
    propagation: NotRequired[Propagation]


class SamlIdp(TypedDict):
    """A lab identity provider (idp.identity_providers). What verifies assertions does not read it."""

    name: str
    entity_id: str
    private_key: str
    certificate: str
    provider: str
    users: dict[str, dict[str, Any]]
    groups: dict[str, list[str]]


class Issuer(TypedDict):
    """A lab issuer of tokens. What verifies tokens reads its url and jwks only."""

    name: str
    url: str
    preset: str
    algorithm: str
    keys: list[dict[str, Any]]  # private
    jwks: dict[str, Any]


class MfaDevice(TypedDict):
    """A virtual MFA device (accounts.people)."""

    account: str
    name: str
    path: str
    arn: str
    seed: str  # base32
    created: int
    tags: Tags
    owner: str  # a unique id, or the account's id for root; empty: nobody
    enabled: NotRequired[int]
    drift: int
    paired: int
    used: list[int]


class Passkey(TypedDict):
    """What is kept of a passkey (accounts.passkeys); nothing of it is secret."""

    credential: str  # base64url
    public_key: str  # COSE, base64url
    count: int  # of its last signature
    party: str
    verified: bool  # the person was known again when it was made
    synced: bool  # it may be on several devices
    transports: list[str]


class FidoDevice(TypedDict):
    """A passkey or security key of a user or root, which only a browser can show."""

    account: str
    name: str
    arn: str
    owner: str  # a unique id, or the account's id for root
    enabled: int
    passkey: Passkey


class ControlPolicy(TypedDict):
    """An SCP or RCP of an organization."""

    name: str
    type: str
    text: str
    targets: list[str]
    description: NotRequired[str]


class Organization(TypedDict):
    """The world's organization."""

    id: str
    management: str  # an account's id
    root: str  # `r-…`
    parents: dict[str, str]  # of a member account or unit, its parent
    policies: dict[str, ControlPolicy]  # by id
    names: NotRequired[dict[str, str]]  # of units, by id
    enabled: NotRequired[list[str]]  # types of policies; where nobody has said, those of which there are any
    tags: NotRequired[dict[str, Tags]]  # by the id of what bears them
    trusted: NotRequired[dict[str, int]]  # services, since when
    delegated: NotRequired[dict[str, dict[str, int]]]  # by service, the accounts that administer it, since when
    features: NotRequired[list[str]]  # of central root access


class PrivateCa(TypedDict):
    """A lab certificate authority. What verifies certificates reads its certificate only."""

    id: str
    arn: str
    certificate: str
    key: str
    revoked: list[str]  # serial numbers in hexadecimal


class Import(TypedDict):
    """What a scenario imported."""

    file: str
    kind: str
    assumed: list[str]  # ARNs that are taken to exist
    notes: list[str]


# A keyword, which no class can have as a member: commands by method.
_Try = TypedDict("_Try", {"try": dict[str, str]})


class SeededScenario(_Try):
    """What a world was seeded from."""

    file: str
    digest: str
    files: list[str]
    description: str


class Expectations(TypedDict):
    """What a scenario that a world was seeded from expects of itself, as it is written (scenario.kept)."""

    file: str
    expect: list[dict[str, Any]]


class Decider(TypedDict):
    """What decides in the place of IAM's engine (vending.deciders)."""

    name: str
    folder: str


class Message(TypedDict):
    """What a person was sent (pages.mailbox)."""

    id: str
    at: float
    channel: str  # email, sms
    sender: str
    to: str
    subject: str
    text: str


class Notification(TypedDict):
    """What an SNS topic would have received; members have the wire's names."""

    Type: str
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str


class DelegationTemplate(TypedDict):
    """A policy template that a partner registered."""

    account: str
    name: str
    text: str


class Approver(TypedDict):
    """Who approved a delegation: an ARN, and the session as it then was (vending.session)."""

    arn: str
    session: str


class DelegationRequest(TypedDict):
    """A partner's request for temporary delegation."""

    id: str
    requestor: str  # an account
    workflow: str
    template: str  # an ARN
    parameters: list[dict[str, Any]]  # as the wire has them
    policy: str  # the template, filled in
    boundaries: list[str]
    description: str
    message: NotRequired[str]
    channel: str  # the ARN of a topic
    redirect: NotRequired[str]
    duration: int
    only_owner: bool
    owner_account: NotRequired[str]
    owner: NotRequired[str]  # an ARN
    state: str
    created: int
    updated: int
    expires: int
    notes: NotRequired[str]
    rejection: NotRequired[str]
    approver: NotRequired[Approver]
    released: NotRequired[int]


class RoleDeletion(TypedDict):
    """The task that deleted a service-linked role."""

    account: str
    role: str  # an ARN


class CredentialReport(TypedDict):
    """An account's credential report."""

    at: int
    text: str  # CSV


class LastAccessedJob(TypedDict):
    """A report on the services that somebody's policies allow."""

    account: str
    at: int
    entities: list[str]  # unique ids of users and roles
    granularity: str
    services: list[str]


class OrganizationsJob(TypedDict):
    """A report on the services that control policies let accounts use; or why there is none: code and sentence."""

    account: str
    at: int
    services: NotRequired[list[str]]
    accounts: NotRequired[dict[str, str]]  # paths
    failed: NotRequired[list[str]]


class UserPoolSignIn(TypedDict):
    """A sign-in at a user pool that still holds; what else it holds is told in idp.user_pools.tokens."""


class IdentityPool(TypedDict):
    """An identity pool of Cognito; members with the wire's names hold what the wire had."""

    id: str  # `REGION:uuid`
    account: str
    region: str
    arn: str
    settings: dict[str, Any]  # the members of the IdentityPool structure but id and tags
    tags: Tags
    roles: dict[str, str]  # ARNs: authenticated, unauthenticated
    mappings: dict[str, dict[str, Any]]  # RoleMapping by provider
    principal_tags: dict[str, dict[str, Any]]  # UseDefaults and PrincipalTags by provider


class PoolIdentity(TypedDict):
    """Somebody whom an identity pool knows, or a guest of it."""

    id: str  # `REGION:uuid`
    pool: str
    logins: dict[str, list[str]]  # subjects by provider; more than one only of the developer's own provider
    created: float
    modified: float
    disabled: bool  # merged into another, or its last login was unlinked


class PoolLogin(TypedDict):
    """Which identity of a pool somebody is who signed in elsewhere."""

    identity: str


def new_account(account: str, now: float) -> Account:
    """An account of which nothing is known but its id."""
    return {"id": account, "name": "", "alias": "", "created": int(now)}


def changed(**members: Any) -> Any:
    """A change for `World.update` that sets members; one that is set to None is removed."""

    def change(body: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**body, **members}.items() if value is not None}

    return change


ACCOUNT: Kind[Account] = Kind("account")  # key: account id
ACCESS_KEY: Kind[AccessKey] = Kind("access-key")  # key: key id
USER: Kind[User] = Kind("user")  # named, uid: `AIDA…`
GROUP: Kind[Group] = Kind("group")  # named, uid: `AGPA…`
ROLE: Kind[Role] = Kind("role")  # named, uid: `AROA…`
POLICY: Kind[Policy] = Kind("policy")  # named, uid: ARN
INSTANCE_PROFILE: Kind[InstanceProfile] = Kind("instance-profile")  # named, uid: `AIPA…`
OIDC_PROVIDER: Kind[OidcProvider] = Kind("oidc-provider")  # key: `ACCOUNT/host/path`, uid: ARN
SAML_PROVIDER: Kind[SamlProvider] = Kind("saml-provider")  # named, uid: ARN
SAML_IDP: Kind[SamlIdp] = Kind("saml-idp")  # key: name
ISSUER: Kind[Issuer] = Kind("issuer")  # key: name, uid: its URL
MFA_DEVICE: Kind[MfaDevice] = Kind("mfa-device")  # named, uid: ARN
FIDO_DEVICE: Kind[FidoDevice] = Kind("fido-device")  # key: `ACCOUNT/ARN`, uid: ARN
ORGANIZATION: Kind[Organization] = Kind("organization")  # key: `organization`: one at most
PRIVATE_CA: Kind[PrivateCa] = Kind("private-ca")  # key: ARN, uid: id
IMPORT: Kind[Import] = Kind("import")  # key: file
IDENTITY_POOL: Kind[IdentityPool] = Kind("identity-pool")  # key: `ACCOUNT/REGION/id`, uid: its id
POOL_IDENTITY: Kind[PoolIdentity] = Kind("pool-identity")  # key: `POOL/id`, uid: its id
POOL_LOGIN: Kind[PoolLogin] = Kind("pool-login")  # key: `POOL/digest of provider and subject`
# Of a sign-in at a user pool other rooms know only whether it still holds. Key: `USER POOL/sub/event_id`
USER_POOL_SIGN_IN: Kind[UserPoolSignIn] = Kind("user-pool-sign-in")
SCENARIO: Kind[SeededScenario] = Kind("scenario")  # key: file
EXPECTATIONS: Kind[Expectations] = Kind("expectations")  # key: file
DECIDER: Kind[Decider] = Kind("decider")  # key: `decider`: one at most
MESSAGE: Kind[Message] = Kind("message")  # key: its id, which orders by arrival
NOTIFICATION: Kind[Notification] = Kind("notification")  # key: `TOPIC/number`
DELEGATION_TEMPLATE: Kind[DelegationTemplate] = Kind("delegation-template")  # key: ARN
DELEGATION_REQUEST: Kind[DelegationRequest] = Kind("delegation-request")  # key: its id
ROLE_DELETION: Kind[RoleDeletion] = Kind("service-linked-role-deletion")  # key: `ACCOUNT/task`
CREDENTIAL_REPORT: Kind[CredentialReport] = Kind("credential-report")  # key: account id
LAST_ACCESSED_JOB: Kind[LastAccessedJob] = Kind("last-accessed-job")  # key: its id
ORGANIZATIONS_JOB: Kind[OrganizationsJob] = Kind("organizations-job")  # key: job id

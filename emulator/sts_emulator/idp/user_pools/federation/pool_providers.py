"""Identity providers of a user pool: made, described, changed, deleted. No address in one is ever fetched.

Source: docs/aws/cognito.md, "Federation".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import AlreadyExistsError
from sts_emulator.core.world import World
from sts_emulator.iam.providers import saml_providers
from sts_emulator.idp import identity_providers
from sts_emulator.idp.user_pools.federation import saml_keys
from sts_emulator.idp.user_pools.kinds import (
    IDENTITY_PROVIDER,
    IdentityProvider,
    Pool,
    invalid,
    not_found,
    reach,
    unsupported,
)
from sts_emulator.idp.user_pools.kinds import page as page_of
from sts_emulator.vending.context import Context
from sts_emulator.wire import xml
from sts_emulator.wire.dispatch import Result, operation

ISSUERS: Final = {"Google": "https://accounts.google.com", "SignInWithApple": "https://appleid.apple.com"}
"""Types of providers that are OIDC's with an issuer of their own."""

SUBJECTS: Final = {"Facebook": "id", "LoginWithAmazon": "user_id"}
"""What types of providers that have no ID tokens call a person (Facebook's Graph API, Amazon's profile)."""

_API_VERSION: Final = "v17.0"
_OF_AWS: Final[Mapping[str, Mapping[str, str]]] = {
    "Facebook": {
        "attributes_url": "https://graph.facebook.com/{api_version}/me?fields=",
        "attributes_url_add_attributes": "true",
        "authorize_url": "https://www.facebook.com/{api_version}/dialog/oauth",
        "token_request_method": "GET",
        "token_url": "https://graph.facebook.com/{api_version}/oauth/access_token",
    },
    "Google": {
        "attributes_url": "https://people.googleapis.com/v1/people/me?personFields=",
        "attributes_url_add_attributes": "true",
        "authorize_url": "https://accounts.google.com/o/oauth2/v2/auth",
        "oidc_issuer": "https://accounts.google.com",
        "token_request_method": "POST",
        "token_url": "https://www.googleapis.com/oauth2/v4/token",
    },
    "LoginWithAmazon": {
        "attributes_url": "https://api.amazon.com/user/profile",
        "attributes_url_add_attributes": "false",
        "authorize_url": "https://www.amazon.com/ap/oa",
        "token_request_method": "POST",
        "token_url": "https://api.amazon.com/auth/o2/token",
    },
    "SignInWithApple": {
        "attributes_url_add_attributes": "false",
        "authorize_url": "https://appleid.apple.com/auth/authorize",
        "oidc_issuer": "https://appleid.apple.com",
        "token_request_method": "POST",
        "token_url": "https://appleid.apple.com/auth/token",
    },
}
"""What AWS adds to the details of social providers (botocore's model, CreateIdentityProvider). It is told, and never
asked: `federation.outside_providers`."""

_SOCIAL: Final = ("Facebook", "Google", "LoginWithAmazon", "SignInWithApple")
_DEMANDED: Final = {
    "OIDC": ("client_id", "oidc_issuer", "authorize_scopes", "attributes_request_method"),
    "SAML": (),
    **dict.fromkeys(_SOCIAL, ("client_id", "authorize_scopes")),
}
_FLAGS: Final = ("IDPInit", "IDPSignout", "EncryptedResponses")
_SIGNING: Final = "rsa-sha256"
"""The RequestSigningAlgorithm that there is (docs/aws/cognito.md, "Federation")."""
_MD: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"

_LONGEST: Final = 100_000  # characters of a metadata document


@operation("cognito-idp", "CreateIdentityProvider")
def create_identity_provider(
    ctx: Context,
    *,
    UserPoolId: str,
    ProviderName: str,
    ProviderType: str,
    ProviderDetails: Mapping[str, str],
    AttributeMapping: Mapping[str, str] | None = None,
    IdpIdentifiers: Iterable[str] = (),
    AcrMapping: object = None,
) -> Result:
    pool = reach(ctx, UserPoolId)
    if AcrMapping:
        raise unsupported("AcrMapping (authentication context classes)")
    is_reserved = ProviderName in (*_SOCIAL, "COGNITO", "Cognito") or ProviderType in _SOCIAL
    if is_reserved and ProviderName != ProviderType:
        raise invalid(f"Provider {ProviderName} cannot be of type {ProviderType}.")
    now = ctx.world.now()
    provider = IdentityProvider(
        pool=pool["id"],
        name=ProviderName,
        type=ProviderType,
        details=_details(ctx, pool, ProviderName, ProviderType, ProviderDetails),
        mapping=_mapping(pool, ProviderType, AttributeMapping or {}),
        identifiers=_identifiers(ctx, pool, ProviderName, IdpIdentifiers),
        created=now,
        modified=now,
    )
    try:
        ctx.world.add(IDENTITY_PROVIDER, _key(pool, ProviderName), provider)
    except AlreadyExistsError:
        message = f"A provider with the name {ProviderName} already exists."
        raise AwsError("DuplicateProviderException", message) from None
    return {"IdentityProvider": shown(provider)}


@operation("cognito-idp", "UpdateIdentityProvider")
def update_identity_provider(
    ctx: Context,
    *,
    UserPoolId: str,
    ProviderName: str,
    ProviderDetails: Mapping[str, str] | None = None,
    AttributeMapping: Mapping[str, str] | None = None,
    IdpIdentifiers: Iterable[str] | None = None,
    AcrMapping: object = None,
) -> Result:
    """Change what is given; the rest stays."""
    pool = reach(ctx, UserPoolId)
    provider = provider_of(ctx, pool, ProviderName)
    if AcrMapping:
        raise unsupported("AcrMapping (authentication context classes)")
    changed: IdentityProvider = {**provider, "modified": ctx.world.now()}
    if ProviderDetails is not None:
        changed["details"] = _details(ctx, pool, ProviderName, provider["type"], ProviderDetails)
    if AttributeMapping is not None:
        changed["mapping"] = _mapping(pool, provider["type"], AttributeMapping)
    if IdpIdentifiers is not None:
        changed["identifiers"] = _identifiers(ctx, pool, ProviderName, IdpIdentifiers)
    ctx.world.put(IDENTITY_PROVIDER, _key(pool, ProviderName), changed)
    return {"IdentityProvider": shown(changed)}


@operation("cognito-idp", "DescribeIdentityProvider")
def describe_identity_provider(ctx: Context, *, UserPoolId: str, ProviderName: str) -> Result:
    """One of them, its client secret with it."""
    return {"IdentityProvider": shown(provider_of(ctx, reach(ctx, UserPoolId), ProviderName))}


@operation("cognito-idp", "GetIdentityProviderByIdentifier")
def get_identity_provider_by_identifier(ctx: Context, *, UserPoolId: str, IdpIdentifier: str) -> Result:
    provider = identified(ctx.world, reach(ctx, UserPoolId), IdpIdentifier)
    missing = not_found(f"Identity provider with identifier {IdpIdentifier} does not exist.")
    return {"IdentityProvider": shown(required(provider, missing))}


@operation("cognito-idp", "ListIdentityProviders")
def list_identity_providers(
    ctx: Context, *, UserPoolId: str, MaxResults: int | None = None, NextToken: str | None = None
) -> Result:
    pool = reach(ctx, UserPoolId)
    told = [_brief(provider) for provider in ctx.world.page(IDENTITY_PROVIDER, f"{pool['id']}/")]
    return page_of(ctx, "Providers", told, NextToken, MaxResults)


@operation("cognito-idp", "DeleteIdentityProvider")
def delete_identity_provider(ctx: Context, *, UserPoolId: str, ProviderName: str) -> Result:
    """Trust one no more; the users that it has brought stay."""
    pool = reach(ctx, UserPoolId)
    provider_of(ctx, pool, ProviderName)
    ctx.world.take(IDENTITY_PROVIDER, _key(pool, ProviderName))
    saml_keys.forget(ctx.world, pool, ProviderName)
    return {}


def provider_of(ctx: Context, pool: Pool, name: str) -> IdentityProvider:
    """Raises AwsError: ResourceNotFoundException."""
    provider = ctx.world.get(IDENTITY_PROVIDER, _key(pool, name))
    return required(provider, not_found(f"Identity provider {name} does not exist."))


def identified(world: World, pool: Pool, identifier: str) -> IdentityProvider | None:
    """The provider of the pool that one of its identifiers means."""
    listed = world.page(IDENTITY_PROVIDER, f"{pool['id']}/")
    return next((provider for provider in listed if identifier in provider["identifiers"]), None)


def issuer_of(provider: IdentityProvider) -> str:
    """`iss` of a provider's ID tokens; "" where it has none."""
    return ISSUERS.get(provider["type"]) or provider["details"].get("oidc_issuer", "")


def shown(provider: IdentityProvider) -> Result:
    return {
        **_brief(provider),
        "UserPoolId": provider["pool"],
        "ProviderDetails": {**_of_aws(provider), **provider["details"]},
        "AttributeMapping": dict(provider["mapping"]),
        "IdpIdentifiers": list(provider["identifiers"]),
    }


def _of_aws(provider: IdentityProvider) -> dict[str, str]:
    version = provider["details"].get("api_version", _API_VERSION)
    return {name: value.replace("{api_version}", version) for name, value in _OF_AWS.get(provider["type"], {}).items()}


def _brief(provider: IdentityProvider) -> Result:
    return {
        "ProviderName": provider["name"],
        "ProviderType": provider["type"],
        "LastModifiedDate": provider["modified"],
        "CreationDate": provider["created"],
    }


def _key(pool: Pool, name: str) -> str:
    return f"{pool['id']}/{name}"


def _identifiers(ctx: Context, pool: Pool, name: str, given: Iterable[str]) -> list[str]:
    """Each means one provider of the pool."""
    wanted = list(dict.fromkeys(given))
    for provider in ctx.world.page(IDENTITY_PROVIDER, f"{pool['id']}/"):
        if provider["name"] != name and (taken := set(wanted) & set(provider["identifiers"])):
            raise invalid(f"The identifier {min(taken)} is another provider's.")
    return wanted


def _mapping(pool: Pool, kind: str, given: Mapping[str, str]) -> dict[str, str]:
    """Attributes of the pool, and what the provider calls them; the user name is always the subject."""
    known = {attribute["Name"] for attribute in pool["schema"]} - {"sub"}
    mapping = dict(given)
    if kind != "SAML":
        mapping["username"] = SUBJECTS.get(kind, "sub")
    for name in mapping:
        if name not in known and f"custom:{name}" not in known and name != "username":
            raise invalid(f"Invalid AttributeMapping: the user pool has no attribute {name}.")
    return mapping


def _details(ctx: Context, pool: Pool, name: str, kind: str, given: Mapping[str, str]) -> dict[str, str]:
    for demanded in _DEMANDED[kind]:
        if not given.get(demanded):
            raise invalid(f"{demanded} is a required ProviderDetails key for {kind} providers.")
    return dict(given) if kind != "SAML" else _of_saml(ctx, pool, name, given)


def _of_saml(ctx: Context, pool: Pool, name: str, given: Mapping[str, str]) -> dict[str, str]:
    flags = {flag: given[flag].lower() for flag in _FLAGS if flag in given}
    for flag, value in flags.items():
        if value not in ("true", "false"):
            raise invalid(f"{flag} of ProviderDetails is true or false.")
    if given.get("RequestSigningAlgorithm", _SIGNING) != _SIGNING:
        raise invalid(f"RequestSigningAlgorithm of ProviderDetails is {_SIGNING}.")
    document = given.get("MetadataFile") or _known_metadata(ctx, given.get("MetadataURL", ""))
    if len(document) > _LONGEST:
        raise invalid("The SAML metadata is too large.")
    try:
        saml_providers.described(document, int(ctx.world.now()))
    except AwsError:
        raise invalid("Could not parse the SAML metadata.") from None
    sign_in, sign_out = _place(document, "SingleSignOnService"), _place(document, "SingleLogoutService")
    if not sign_in:
        raise invalid("The SAML metadata has no SingleSignOnService with the HTTP-Redirect binding.")
    told = {**given, **flags, "MetadataFile": document, "SSORedirectBindingURI": sign_in}
    for member in ("SLORedirectBindingURI", "ActiveEncryptionCertificate"):
        told.pop(member, None)
    if sign_out:
        told["SLORedirectBindingURI"] = sign_out
    if flags.get("EncryptedResponses") == "true":
        told["ActiveEncryptionCertificate"] = (saml_keys.decryption(ctx.world, pool, name))["certificate"]
    return told


def _place(document: str, service: str) -> str:
    """Where the browser goes with a question to a service of the metadata, "" for nowhere."""
    root = xml.parse(document.encode(), max_bytes=4 * _LONGEST)
    for offered in root.iter(f"{_MD}{service}"):
        place = offered.get("Location", "")
        if offered.get("Binding") == _REDIRECT and urlsplit(place).scheme in ("", "http", "https"):
            return str(place)
    return ""


def _known_metadata(ctx: Context, url: str) -> str:
    """The document behind a URL, where it is of a lab identity provider of this world: nothing else is ever fetched."""
    base, _, rest = url.rpartition("/idp/")
    name, _, last = rest.partition("/")
    idp = ctx.world.get(identity_providers.KIND, name) if last == "metadata" and base == ctx.base_url else None
    if idp is None:
        raise invalid(
            "ProviderDetails needs MetadataFile, or the MetadataURL of an identity provider of this world: "
            "sts-emulator fetches no other."
        )
    return identity_providers.metadata(idp, ctx.base_url)

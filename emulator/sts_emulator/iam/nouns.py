"""The kinds of thing that IAM keeps: how each is named, found and counted, and what it is called when it is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import Stored, key_of
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import Body, World
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from sts_emulator.vending.context import Context


@dataclass(frozen=True, slots=True)
class Noun(Generic[Body]):
    """One kind of thing.

    `wire` is its name in operations (`Tag` + `Role`), `member` the request member that names one, `segment` the word in
    its ARN and `prefix` that of its unique id. `missing` and `taken` are AWS's sentences. What is found `by_arn` is
    stored with its ARN as uid, everything else under its name. Users and roles fold tag keys that differ in case only.
    `spoken` is how denials call one that is there (`role app`); without it they give its ARN.
    """

    kind: Kind[Body]
    wire: str
    member: str
    segment: str
    missing: str
    taken: str = ""
    prefix: str = ""
    quota_name: str = ""
    quota: int = 0
    by_arn: bool = False
    folds_tags: bool = False
    spoken: str = ""

    def arn(self, account: str, path: str, name: str) -> str:
        """The ARN of one; `path` begins and ends with a slash."""
        return names.iam_arn(account, self.segment, path, name)

    def key(self, thing: Stored) -> str:
        """The key that a stored one has in its world."""
        return f"{thing['account']}/{thing['url']}" if "url" in thing else key_of(thing["account"], thing["name"])

    def find(self, world: World, account: str, value: str) -> Body | None:
        """The account's one that `value` (a name in any case of letters, or an ARN) names, or None."""
        if not self.by_arn:
            return world.get(self.kind, key_of(account, value))
        thing = world.find(self.kind, value)
        return thing if thing is not None and thing["account"] == account else None

    def shown(self, thing: Stored) -> dict[str, Any]:
        """What every result shows of one that has a path."""
        return {
            "Path": thing["path"],
            f"{self.wire}Name": thing["name"],
            f"{self.wire}Id": thing["id"],
            "Arn": thing["arn"],
            "CreateDate": thing["created"],
        }

    def absent(self, value: str) -> AwsError:
        """The error for naming one that is not there."""
        return AwsError("NoSuchEntity", self.missing.format(value))


AnyNoun: TypeAlias = Noun[Any]


def _principal(kind: Kind[Body], wire: str, prefix: str, quota: int, *, folds_tags: bool = False) -> Noun[Body]:
    """Users, groups and roles, whom AWS's sentences call alike."""
    word = wire.lower()
    return Noun(
        kind,
        wire,
        f"{wire}Name",
        word,
        f"The {word} with name {{}} cannot be found.",
        f"{wire} with name {{}} already exists.",
        prefix,
        f"{wire}sPerAccount",
        quota,
        folds_tags=folds_tags,
        spoken=f"{word} {{}}",
    )


USER: Final = _principal(documents.USER, "User", "AIDA", 5000, folds_tags=True)
GROUP: Final = _principal(documents.GROUP, "Group", "AGPA", 300)
ROLE: Final = _principal(documents.ROLE, "Role", "AROA", 1000, folds_tags=True)
POLICY: Final = Noun(
    documents.POLICY,
    "Policy",
    "PolicyArn",
    "policy",
    "Policy {} was not found.",
    "A policy called {} already exists. Duplicate names are not allowed.",
    "ANPA",
    "PoliciesPerAccount",
    1500,
    by_arn=True,
    spoken="policy {}",
)
INSTANCE_PROFILE: Final = Noun(
    documents.INSTANCE_PROFILE,
    "InstanceProfile",
    "InstanceProfileName",
    "instance-profile",
    "Instance Profile {} cannot be found.",
    "Instance Profile {} already exists.",
    "AIPA",
    "InstanceProfilesPerAccount",
    1000,
    spoken="instance profile {}",
)
MFA_DEVICE: Final = Noun(
    documents.MFA_DEVICE,
    "MFADevice",
    "SerialNumber",
    "mfa",
    "MFA Device with serial number {} does not exist.",
    "MFA device already exists.",
    by_arn=True,
)
OIDC_PROVIDER: Final = Noun(
    documents.OIDC_PROVIDER,
    "OpenIDConnectProvider",
    "OpenIDConnectProviderArn",
    "oidc-provider",
    "OpenIDConnect Provider not found for arn {}",
    "Provider with url {} already exists.",
    quota_name="OpenIdConnectProvidersPerAccount",
    quota=100,
    by_arn=True,
)


def listing(world: World, noun: Noun[Body], account: str, path_prefix: str = "/") -> list[Body]:
    """An account's things of a kind under a path, in the order of their names."""
    everything = world.page(noun.kind, f"{account}/")
    return [thing for thing in everything if str(thing.get("path", "/")).startswith(path_prefix)]


def claim(ctx: Context, noun: AnyNoun, name: str) -> None:
    """Make sure that a new thing may take the name.

    Raises:
        AwsError: EntityAlreadyExists, also when only the case of letters differs; LimitExceeded at the account's quota.
    """
    account = ctx.identity.account
    if ctx.world.get(noun.kind, key_of(account, name)) is not None:
        raise AwsError("EntityAlreadyExists", noun.taken.format(name))
    if noun.quota and ctx.world.count(noun.kind, f"{account}/") >= noun.quota:
        raise over_quota(noun.quota_name, noun.quota)


def over_quota(name: str, limit: int) -> AwsError:
    """The error for one too many of something (docs/aws/iam.md, "Messages")."""
    return AwsError("LimitExceeded", f"Cannot exceed quota for {name}: {limit}")


def born(ctx: Context, noun: AnyNoun, path: str, name: str) -> documents.Named:
    """The members that every new named thing has."""
    account = ctx.identity.account
    return {
        "account": account,
        "name": name,
        "path": path,
        "id": names.unique_id(noun.prefix, account),
        "arn": noun.arn(account, path, name),
        "created": int(ctx.world.now()),
    }

"""Owns what is known of condition keys: their type, whether they hold several values, and which token claims are keys.

Source: docs/aws/policy-evaluation.md, "Conditions" and "Condition keys" (UG reference_policies_condition-keys, service
authorization reference for STS). Keys that are not listed are not wrong: IAM accepts every key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sts_emulator.policy.deciding.matching import edit_distance
from sts_emulator.policy.federated import COGNITO
from sts_emulator.policy.token_claims import more_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

KeyType = Literal["string", "arn", "bool", "date", "number", "ip"]

_STRINGS = (
    *("aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:FederatedProvider", "aws:PrincipalAccount"),
    *("aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList"),
    *("aws:PrincipalType", "aws:Referer", "aws:RequestedRegion", "aws:ResourceAccount", "aws:ResourceOrgID"),
    *("aws:ResourceOrgPaths", "aws:SourceAccount", "aws:SourceIdentity", "aws:SourceOrgID", "aws:SourceOrgPaths"),
    *("aws:SourceVpc", "aws:SourceVpce", "aws:TagKeys", "aws:UserAgent", "aws:userid", "aws:username"),
    *("aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths", "aws:Ec2InstanceSourceVpc"),
    *("sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys", "sts:AWSServiceName"),
    *("aws:OriginIdentity/Subject", "aws:OriginIdentity/SubjectType", "aws:OriginIdentity/Issuer"),
    *("sts:RequestContextProviders", "sts:IdentityTokenAudience", "sts:SigningAlgorithm", "sts:SubjectMode"),
    "sts:IdentityTokenScope",
)
_TYPED: Mapping[str, KeyType] = {
    "aws:PrincipalArn": "arn",
    "aws:SourceArn": "arn",
    "aws:SourceVpcArn": "arn",
    "sts:TaskPolicyArn": "arn",
    "aws:OriginIdentity/FederatedProviderArn": "arn",
    "aws:IdentityCenterInstanceArn": "arn",
    "aws:IdentityStoreArn": "arn",
    "aws:MultiFactorAuthPresent": "bool",
    "aws:PrincipalIsAWSService": "bool",
    "aws:SecureTransport": "bool",
    "aws:ViaAWSService": "bool",
    "aws:AssumedRoot": "bool",
    "sts:RoleAuthorizedByIdp": "bool",
    "aws:CurrentTime": "date",
    "aws:EpochTime": "date",
    "aws:TokenIssueTime": "date",
    "aws:MultiFactorAuthAge": "number",
    "sts:DurationSeconds": "number",
    "aws:SourceIp": "ip",
    "aws:VpcSourceIp": "ip",
    "aws:Ec2InstanceSourcePrivateIPv4": "ip",
}
NAMES: Mapping[str, str] = {name.lower(): name for name in (*_STRINGS, *_TYPED)}
"""Lower-cased to the spelling of the documentation."""
TYPES: Mapping[str, KeyType] = {name.lower(): kind for name, kind in _TYPED.items()}
TAG_PREFIXES = (
    *("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "iam:resourcetag/", "sts:requestcontext/"),
    "aws:transactioncontext/identityprovider/",
)
MULTIVALUED = frozenset(
    {
        *("aws:calledvia", "aws:principalorgpaths", "aws:principalservicenameslist", "aws:resourceorgpaths"),
        *("aws:sourceorgpaths", "aws:tagkeys", "aws:vpceorgpaths", "sts:transitivetagkeys", f"{COGNITO}:amr"),
        "sts:identitytokenscope",
        *(
            "saml:edupersonaffiliation",
            "saml:edupersonnickname",
            "saml:edupersonorgunitdn",
            "saml:edupersonentitlement",
        ),
        *("saml:edupersonscopedaffiliation", "saml:edupersontargetedid", "saml:edupersonassurance"),
    }
)
SINGLE_CLAIMS = frozenset({"aud", "sub", "oaud"})
CLAIMS = SINGLE_CLAIMS | {"amr", "azp", "email"}
CLOSE = 2


def is_multivalued(name: str) -> bool | None:
    """Whether a lower-cased key holds several values; None when that is not known."""
    if name in MULTIVALUED:
        return True
    claim = name.rpartition(":")[2]
    known = name in NAMES or name.startswith(TAG_PREFIXES) or ("." in name and claim in SINGLE_CLAIMS)
    return False if known else None


def misspelt(name: str) -> str:
    """The documented key that a lower-cased `aws:` or `sts:` key is nearly, or the empty text."""
    if not name.startswith(("aws:", "sts:")) or name in NAMES or name.startswith(TAG_PREFIXES) or "/" in name:
        return ""
    similar = [known for known in NAMES if abs(len(known) - len(name)) <= CLOSE]
    distance, closest = min(((edit_distance(name, known), known) for known in similar), default=(CLOSE + 1, ""))
    return NAMES[closest] if distance <= CLOSE else ""


def is_claim(issuer: str, claim: str) -> bool:
    """Whether AWS makes a condition key of a token's claim."""
    return claim in CLAIMS or claim in more_claims(issuer)

"""From a signature to a caller: which key signed, whether it may, and who that makes the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sts_emulator.accounts import documents, organizations, people, resources
from sts_emulator.accounts.documents import User
from sts_emulator.core import clock, names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, parse
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.vending import credentials, identity_context
from sts_emulator.vending.context import FALSE, TRUE, Caller, Context, Keys, bearer_tags
from sts_emulator.vending.origin import came_of
from sts_emulator.vending.session import CONSOLE_LOGIN, FEDERATED, INSTANCE, ROLE, USER, Session
from sts_emulator.vending.tags import principal_tag_keys
from sts_emulator.wire import sigv4
from sts_emulator.wire.http import Request
from sts_emulator.wire.models import Operation, Service

# With a final period, unlike the text for a garbled token (docs/aws/signatures.md, "Order of checks", rows 14a and
# 14c).
UNKNOWN_KEY = "The security token included in the request is invalid."
LONGEST_KEY_ID = 128  # by the model
MFA_NEEDS_BOTH = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."


def authenticate(ctx: Context, request: Request, service: Service, operation: Operation) -> None:
    """Say in `ctx` who signed the request. Raises AwsError in AWS's words and order."""
    if operation.auth != "v4":  # a bearer token is the operation's own business
        return
    signed = sigv4.read(request)
    settings = ctx.server.settings
    if settings.permissive:
        key_id, token = (signed.access_key_id, signed.token) if signed else ("", "")
        ctx.region = signed.region or ctx.region if signed else ctx.region
        ctx.caller = permissive(ctx.world, key_id, token, settings.account)
        return
    if signed is None:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", status=403)
    ctx.region = signed.region or ctx.region
    sigv4.check(signed, clock.real(), service.signing_name)
    try:
        caller, secret = identify(ctx.world, signed.access_key_id, signed.token)
    except AwsError as refused:
        ctx.evidence["refused"] = _unidentified(ctx.world, signed, refused)
        raise
    try:
        sigv4.verify(request, signed, secret)
    except AwsError:
        from sts_emulator.wire.signature_diagnosis import diagnose

        ctx.evidence.update(diagnose(request, signed, secret))
        raise
    if caller.session is not None:
        restrict(caller.session, service.name, operation.name)
    ctx.caller = caller
    if not signed.token:
        ctx.world.touch(documents.ACCESS_KEY, signed.access_key_id, (ctx.world.now(), ctx.region, service.name))


def identify(world: World, access_key_id: str, token: str) -> tuple[Caller, str]:
    """The caller that a key id and session token stand for, and the secret that must have signed.

    Raises:
        AwsError: InvalidClientTokenId or ExpiredToken, 403; the signature is not yet looked at, as on AWS.
    """
    if token:
        session = credentials.recover(world, access_key_id, token)
        return caller_of_session(world, session, access_key_id), credentials.derive_secret(world, access_key_id)
    return world.memo(("signer", access_key_id), lambda: _signer(world, access_key_id))


def _signer(world: World, access_key_id: str) -> tuple[Caller, str]:
    """Whom a long-term key stands for, and its secret. Raises AwsError, so that ids of no key are not remembered."""
    key = world.settled(world.get(documents.ACCESS_KEY, access_key_id))
    if key is None or key["status"] != "Active":
        raise AwsError("InvalidClientTokenId", UNKNOWN_KEY, status=403)
    return caller_of_key(world, key), key["secret"]


def _unidentified(world: World, signed: sigv4.Signed, refused: AwsError) -> str:
    """Why nobody is behind a key id and token, for the event."""
    key_id = signed.access_key_id[:LONGEST_KEY_ID]
    if refused.code == "ExpiredToken":
        return f"the session of {key_id} is over by the world's clock ({clock.iso(world.now())})"
    if signed.token:
        return (
            f"the session token was not made for {key_id} in the world `{world.name}`, was altered, or whom it stands "
            "for is gone"
        )
    key = world.get(documents.ACCESS_KEY, signed.access_key_id)
    if key is None:
        return f"there is no access key {key_id} in the world `{world.name}`"
    why = "is inactive" if key["status"] != "Active" else "is not known yet, or its user is gone"
    return f"the access key {key_id} {why}"


def restrict(session: Session, service: str, operation: str) -> None:
    """Refuse calls that this kind of credential may not make, whatever the policies say.

    Source: docs/aws/sts.md, "Who may call what".

    Raises:
        AwsError: AccessDenied from STS, InvalidClientTokenId from IAM, both 403.
    """
    if session.kind not in _STS_CALLS or "delegate" in session.extra:
        return  # what a delegate may do was approved, whatever kind of credential the approver used
    if session.method == CONSOLE_LOGIN:
        return  # `aws login` gives the person's own permissions, as the console does
    if service == "sts" and operation not in _STS_CALLS[session.kind]:
        # For other operations than these two AWS's text is not recorded (docs/aws/sts.md, "Who may call what"); they
        # get the same form.
        raise AwsError("AccessDenied", f"Cannot call {operation} with session credentials", status=403)
    if service == "iam" and not session.mfa_at:
        raise AwsError("InvalidClientTokenId", credentials.INVALID_TOKEN, status=403)


_STS_CALLS = {
    USER: ("AssumeRole", "GetCallerIdentity", "GetScopedCredentials"),
    FEDERATED: ("GetCallerIdentity", "GetScopedCredentials"),
}


def permissive(world: World, access_key_id: str, token: str, default_account: str) -> Caller:
    """With `--permissive`: whoever the key id names, unproven; a twelve-digit key id acts as that account's root."""
    try:
        return identify(world, access_key_id, token)[0]
    except AwsError:
        account = access_key_id if names.is_account_id(access_key_id) else default_account
        return root_caller(world, account, access_key_id, permissive=True)


def caller_of_key(world: World, key: Mapping[str, Any]) -> Caller:
    """The IAM user or root behind a long-term key."""
    account, key_id = key["account"], key["id"]

    def made() -> Caller:
        if not key["user"]:
            return root_caller(world, account, key_id)
        return _user_caller(world, resources.user(world, account, key["user"]), key_id)

    return world.memo(("caller", key_id), made)


def caller_of_session(world: World, session: Session, key_id: str) -> Caller:
    """The caller behind a temporary credential.

    Raises:
        AwsError: InvalidClientTokenId when its role or user is gone, also when a namesake was made since.
    """
    caller = _caller_of_session(world, session, key_id)
    scopes = (*map(parse, session.extra.get("scopes", ())), *identity_context.limits(session))
    return replace(caller, scopes=scopes) if scopes else caller


def _caller_of_session(world: World, session: Session, key_id: str) -> Caller:
    if session.kind == ROLE:
        return _role_caller(world, session, key_id)
    if session.kind == USER:
        return _user_session_caller(world, session, key_id)
    if session.kind == FEDERATED:
        return _federated_caller(world, session, key_id)
    if session.kind == INSTANCE:
        return _instance_caller(world, session, key_id)
    return _root_task_caller(world, session, key_id)


def root_caller(world: World, account: str, key_id: str, *, permissive: bool = False) -> Caller:
    arn = names.root_arn(account)
    return Caller(
        principal=Principal("root", arn, account, id=account),
        arn=arn,
        account=account,
        user_id=account,
        access_key_id=key_id,
        context=_keys(world, arn, account, "Account", account),
        identity=(parse(resources.FULL_ACCESS),),
        permissive=permissive,
    )


def _user_caller(world: World, user: User | None, key_id: str) -> Caller:
    if user is None:
        raise AwsError("InvalidClientTokenId", UNKNOWN_KEY, status=403)
    account = user["account"]
    keys = _keys(world, user["arn"], account, "User", user["id"], tags=user.get("tags", {}))
    return Caller(
        principal=Principal("user", user["arn"], account, user_arn=user["arn"], id=user["id"]),
        arn=user["arn"],
        account=account,
        user_id=user["id"],
        access_key_id=key_id,
        context={**keys, "aws:username": (user["name"],)},
        identity=resources.principal_documents(world, "user", user),
        boundary=resources.boundary_document(world, user),
        user=user,
    )


def _user_session_caller(world: World, session: Session, key_id: str) -> Caller:
    plain = _owner(world, session.account, session.id, key_id)
    return replace(plain, context={**plain.context, **_session_keys(world, session)}, session=session)


def _owner(world: World, account: str, owner: str, key_id: str) -> Caller:
    """Who made a session: by the unique id, which stays when a user is renamed (UG, "Rename an IAM user")."""
    if owner == account:
        return root_caller(world, account, key_id)
    return _user_caller(world, world.find(documents.USER, owner), key_id)


def _role_caller(world: World, session: Session, key_id: str) -> Caller:
    role = world.find(documents.ROLE, session.id)
    if role is None:
        raise AwsError("InvalidClientTokenId", UNKNOWN_KEY, status=403)
    arn = names.session_arn(session.account, role["name"], session.session_name)
    user_id = f"{session.id}:{session.session_name}"
    keys = _keys(world, role["arn"], session.account, "AssumedRole", user_id, tags=bearer_tags(role, session))
    return Caller(
        principal=Principal(
            "assumed-role", arn, session.account, role_arn=role["arn"], id=user_id, chain=came_of(session)
        ),
        arn=arn,
        account=session.account,
        user_id=user_id,
        access_key_id=key_id,
        context={**keys, **_session_keys(world, session)},
        identity=resources.principal_documents(world, "role", role),
        boundary=resources.boundary_document(world, role),
        session_policies=_session_documents(world, session),
        session=session,
        role=role,
    )


def _federated_caller(world: World, session: Session, key_id: str) -> Caller:
    arn = f"arn:aws:sts::{session.account}:federated-user/{session.name}"
    user_id = f"{session.account}:{session.name}"
    # The session is limited to what both its maker and its own policy allow (docs/aws/sts.md, "Session policies").
    plain = _owner(world, session.account, session.extra["maker"], key_id)
    keys = _keys(world, arn, session.account, "FederatedUser", user_id, tags=session.tags)
    return Caller(
        principal=Principal("federated-user", arn, session.account, id=user_id, chain=came_of(session)),
        arn=arn,
        account=session.account,
        user_id=user_id,
        access_key_id=key_id,
        context={**keys, **_session_keys(world, session)},
        identity=plain.identity,
        boundary=plain.boundary,
        session_policies=_session_documents(world, session) or (),
        session=session,
        maker=plain.user,
    )


def _instance_caller(world: World, session: Session, key_id: str) -> Caller:
    """An EC2 instance's own identity: without any policy, so it may do what needs no permission."""
    arn = names.session_arn(session.account, session.name, session.session_name)
    user_id = f"{session.account}:{session.name}:{session.session_name}"
    role_arn = names.iam_arn(session.account, "role", "/", session.name)
    keys = _keys(world, role_arn, session.account, "AssumedRole", user_id)
    return Caller(
        principal=Principal(
            "assumed-role", arn, session.account, role_arn=role_arn, id=user_id, chain=came_of(session)
        ),
        arn=arn,
        account=session.account,
        user_id=user_id,
        access_key_id=key_id,
        context={**keys, **_session_keys(world, session)},
        session=session,
    )


def _root_task_caller(world: World, session: Session, key_id: str) -> Caller:
    plain = root_caller(world, session.account, key_id)
    # Task policies only deny: all but their task, of what root may do otherwise.
    limits = (parse(resources.FULL_ACCESS), *(_session_documents(world, session) or ()))
    context = {**plain.context, **_session_keys(world, session)}
    principal = replace(plain.principal, chain=came_of(session))
    return replace(plain, principal=principal, context=context, session_policies=limits, session=session)


def _session_documents(world: World, session: Session) -> tuple[Document, ...] | None:
    if not session.policy and not session.policy_arns:
        return None
    texts = [session.policy] if session.policy else []
    texts += [text for arn in session.policy_arns if (text := resources.managed_policy_text(world, arn))]
    return tuple(parse(text) for text in texts)


def _keys(
    world: World, arn: str, account: str, kind: str, user_id: str, tags: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (arn,),
        "aws:principalaccount": (account,),
        "aws:principaltype": (kind,),
        "aws:userid": (user_id,),
    }
    if tags:
        keys.update(principal_tag_keys(tags))
    keys.update(organizations.principal_keys(world, account))
    return keys


def _session_keys(world: World, session: Session) -> Keys:
    keys = {name: tuple(values) for name, values in session.context.items()}
    keys["aws:tokenissuetime"] = (clock.iso(session.issued),)
    # Only GetSessionToken with a code carries MFA onwards (docs/aws/sts.md, "MFA").
    keys["aws:multifactorauthpresent"] = TRUE if session.mfa_at else FALSE
    if session.mfa_at:
        keys["aws:multifactorauthage"] = (str(max(0, int(world.now()) - session.mfa_at)),)
    if session.source_identity:
        keys["aws:sourceidentity"] = (session.source_identity,)
    if session.provider:
        keys["aws:federatedprovider"] = (session.provider,)
    return keys


def present_mfa(ctx: Context, caller: Caller, serial: str, code: str) -> dict[str, tuple[str, ...]]:
    """The condition keys of a caller who presents a code with an STS call, once the code is proven and used up.

    Raises:
        AwsError: AccessDenied 403. The text for one of the two alone is not recorded (docs/aws/sts.md, "Not recorded").
    """
    if not serial or not code:
        raise AwsError("AccessDenied", MFA_NEEDS_BOTH, status=403)
    people.authenticate(ctx.world, caller.user_id, serial, code)
    return {"aws:multifactorauthpresent": TRUE, "aws:multifactorauthage": ("0",)}

"""May this caller do this? One question to the policy engine, and AWS's words for a no."""

from __future__ import annotations

from dataclasses import replace

from sts_emulator.accounts import organizations, resources
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.deciding.document import Document, parse
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Principal, Request, evaluate
from sts_emulator.policy.layers import words
from sts_emulator.vending import deciders, denials
from sts_emulator.vending.context import Caller, Consulted, Context, Keys


def authorize(ctx: Context, action: str, resource: str, keys: Keys | None = None, named: str = "") -> Decision:
    """Let the call go on, or refuse it as AWS does.

    `resource` is an ARN or `*`; `keys` are condition keys of the resource and the request, lower-case; `named` is how
    the denial calls the resource, when not by its ARN (IAM does so: `role app`). Cross-account resources that have
    policies of their own are the business of whoever owns them (roles: vending.assume).

    Raises:
        AwsError: AccessDenied 403 (under the protocol's own name).
    """
    decision = consult(ctx, ctx.identity, action, resource, keys or {})
    if decision.verdict != "allow":
        raise refused(ctx, denial(ctx, ctx.identity, action, named or resource, decision, same_account=True))
    return decision


def consult(
    ctx: Context,
    caller: Caller,
    action: str,
    resource: str,
    keys: Keys,
    trust: Document | None = None,
    rcps: organizations.Levels = (),
    resource_account: str = "",
) -> Decision:
    """Ask the engine about a signed caller; keeps the answer. `trust` and `rcps` are the resource's own policies."""
    account, role = caller.account, caller.role
    scps: organizations.Levels = ()
    if role is None or not organizations.is_exempt(role):
        scps = organizations.service_control(ctx.world, account)
    else:
        rcps = ()
    policies = PolicySet(
        trust, caller.identity, caller.boundary, caller.session_policies, scps, rcps, resource_account or account
    )
    context = ctx.request_keys()
    context.update(caller.context)
    context.update(keys)
    request = Request(action, resource, caller.principal, context)
    decision = ask(ctx, request, policies)
    for scope in caller.scopes:
        if decision.verdict == "allow":
            decision = ask(ctx, request, _scoped(policies, scope))
    return decision


def _scoped(policies: PolicySet, scope: Document) -> PolicySet:
    """The same question put to a narrowing of the session alone.

    As if across accounts, where each side must allow: no grant by the resource's own policy spares the narrowing.
    """
    return replace(
        policies, identity=(parse(resources.FULL_ACCESS),), boundary=None, session=(scope,), resource_account="-"
    )


def consult_unsigned(
    ctx: Context, principal: Principal, action: str, resource: str, keys: Keys, policies: PolicySet
) -> Decision:
    """Ask the engine for a caller that proved itself outside AWS (a token, an assertion, a service)."""
    context = ctx.request_keys()
    context.update(keys)
    return ask(ctx, Request(action, resource, principal, context), policies)


def ask(ctx: Context, request: Request, policies: PolicySet) -> Decision:
    """Decide, and keep question and answer for the event."""
    decision = deciders.decision(ctx.world, request, policies)
    ctx.decisions.append(Consulted(request, policies, decision))
    return decision


def denial(ctx: Context, caller: Caller, action: str, resource: str, decision: Decision, *, same_account: bool) -> str:
    """AWS's sentence for a denial; across accounts it does not say why, but for an RCP of the caller's organization.

    That one it names (recorded 2026). Source: docs/aws/sts.md, "Denials of AssumeRole", "Endings of denials".
    """
    sentence = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
    arn = _denying_rcp(ctx, caller, decision)
    if arn:
        return f"{sentence} {_why(decision, action)}: {arn}"
    return f"{sentence} {_why(decision, action)}".rstrip() if same_account else sentence


def _why(decision: Decision, action: str) -> str:
    """The end of a denial; a trust policy is not named."""
    noun = words(decision.layer, action).denial if decision.layer else ""
    if not noun:
        return ""
    if decision.verdict == "explicit_deny":
        return f"with an explicit deny in {'an' if noun[0] == 'i' else 'a'} {noun}"
    return f"because no {noun} allows the {action} action"


def _denying_rcp(ctx: Context, caller: Caller, decision: Decision) -> str:
    """The ARN of the RCP that denies the last question, where the caller is of its organization; else empty."""
    if decision.layer != "rcp" or decision.verdict != "explicit_deny":
        return ""
    asked = ctx.decisions[-1]
    documents = [document for level in asked.policies.rcps for document in level]
    texts = [document.text for document in documents if evaluate(document, asked.request)[0] == "explicit_deny"]
    return (
        organizations.arn_of_text(ctx.world, organizations.RESOURCE_CONTROL, texts[0], caller.account) if texts else ""
    )


def refused(ctx: Context, sentence: str) -> AwsError:
    """A policy's refusal, with what the service adds for whoever asks why.

    IAM names the authorization id that iam-toolbox takes (AWS's message of 2026, with a link that works here), and so
    does what the door refuses; STS adds nothing, as recorded (docs/aws/sts.md, "Denials of AssumeRole"), unless the
    setting `authorization_ids` is `all`. EC2 encodes why.
    """
    if ctx.service == "ec2" and ctx.decisions:
        encoded = denials.encode(ctx.world, ctx.decisions[-1])
        opening = f"You are not authorized to perform this operation. {sentence}."
        return AwsError(
            "UnauthorizedOperation", f"{opening} Encoded authorization failure message: {encoded}", status=403
        )
    wanted = ctx.server.settings.authorization_ids
    if wanted == "all" or (wanted == "iam" and (ctx.service == "iam" or ctx.upstream)):
        known = denials.authorization_id(ctx.request_id)
        origin = ctx.base_url.removesuffix(f"/w/{ctx.world.name}")
        page = f"{origin}/_emulator/api/worlds/{ctx.world.name}/explain/{ctx.request_id}?format=text"
        sentence = (
            f"{sentence}. Go to {page} for complete details, or call the GetRequestAuthorizationDetails API with the "
            f"following authorization id: {known}"
        )
    return access_denied(sentence)


def access_denied(message: str) -> AwsError:
    """The access-denied error; the wire renames it for JSON protocols and EC2."""
    return AwsError("AccessDenied", message, status=403)

"""What the tokens of real OIDC issuers look like: their URLs, their claims, and what may be chosen about them.

Sources: docs/aws/oidc-issuers.md, "GitHub Actions" and "Other issuers" and
docs/aws/containers-and-pods.md, "Service accounts". Ids that nobody chose are derived from names, so that the same
repository has the same id in every token.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from sts_emulator.policy.light_dataclass import dataclass

Options = Mapping[str, Any]
Claims = dict[str, Any]

STS_AUDIENCE = "sts.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of issuer. `claims(options, url)` gives all but iss, aud and the times; `lifetime` in seconds.

    `options` are the names that `claims` understands, with their defaults; a claim of None is none. `early` is how many
    seconds before `iat` the token becomes valid, None for an issuer that sets no `nbf`.
    """

    url: str
    claims: Callable[[Options, str], Claims]
    options: Options = field(default_factory=dict)
    audience: Callable[[str], Any] = lambda _: STS_AUDIENCE
    lifetime: int = 3600
    early: int | None = 0


def _number(name: str, digits: int = 9) -> str:
    """A stable decimal id of that many digits, the first not zero."""
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return str(10 ** (digits - 1) + value % (9 * 10 ** (digits - 1)))


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _hex(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()  # the shape of a commit id


def _escaped(value: str) -> str:
    return value.replace(":", "%3A")  # GitHub escapes colons inside the values of a subject


# -- GitHub Actions ------------------------------------------------------------------------------------------------

_GITHUB: Options = {
    "repo": "octo-org/octo-repo",
    "branch": "main",
    "tag": None,
    "pull_request": None,
    "ref": None,
    "environment": None,
    "event": None,
    "actor": "octocat",
    "workflow": "CI",
    "workflow_file": "ci.yml",
    "visibility": "private",
    "immutable": False,
    "owner_id": None,
    "repo_id": None,
    "run_id": None,
    "sha": None,
}


def _github(options: Options, _: str) -> Claims:
    """`immutable`: the subject with ids, of repositories created after 2026-07-15 or opted in."""
    repo = str(options["repo"])
    owner, _, name = repo.partition("/")
    owner_id = str(options["owner_id"] or _number(f"github/{owner}", 8))
    repo_id = str(options["repo_id"] or _number(f"github/{repo}"))
    request = options["pull_request"]
    number = 1 if request is True else request
    ref = _git_ref(options, f"refs/pull/{number}/merge" if request else None)
    sha = options["sha"] or _hex(f"{repo}@{ref}")
    workflow_ref = f"{repo}/.github/workflows/{options['workflow_file']}@{ref}"
    subject = f"{owner}@{owner_id}/{name}@{repo_id}" if options["immutable"] else repo
    environment = options["environment"]
    if environment:
        context = f"environment:{_escaped(str(environment))}"
    else:
        context = "pull_request" if request else f"ref:{ref}"
    return {
        "sub": f"repo:{subject}:{context}",
        "ref": ref,
        "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
        "ref_protected": "true" if ref == "refs/heads/main" else "false",
        "sha": sha,
        "repository": repo,
        "repository_id": repo_id,
        "repository_owner": owner,
        "repository_owner_id": owner_id,
        "repository_visibility": options["visibility"],
        "actor": options["actor"],
        "actor_id": _number(f"github/{options['actor']}", 6),
        "event_name": options["event"] or ("pull_request" if request else "push"),
        "head_ref": str(options["branch"]) if request else "",
        "base_ref": "main" if request else "",
        "environment": environment,
        "workflow": options["workflow"],
        "workflow_ref": workflow_ref,
        "workflow_sha": sha,
        "job_workflow_ref": workflow_ref,
        "job_workflow_sha": sha,
        "run_id": str(options["run_id"] or _number(f"{repo}/run", 10)),
        "run_number": "1",
        "run_attempt": "1",
        "runner_environment": "github-hosted",
        "check_run_id": _number(f"{repo}/check", 11),
    }


def _git_ref(options: Options, request: str | None = None) -> str:
    if options["ref"]:
        return str(options["ref"])
    if request:
        return request
    return f"refs/tags/{options['tag']}" if options["tag"] else f"refs/heads/{options['branch']}"


# -- the other continuous integrations -----------------------------------------------------------------------------


def _gitlab(options: Options, url: str) -> Claims:
    project = str(options["project"])
    namespace = project.rpartition("/")[0]
    kind, ref = ("tag", options["tag"]) if options["tag"] else ("branch", options["branch"])
    config = f"{urlsplit(url).netloc}/{project}//.gitlab-ci.yml@refs/{'tags' if kind == 'tag' else 'heads'}/{ref}"
    sha = _hex(f"{project}@{ref}")
    return {
        "sub": f"project_path:{project}:ref_type:{kind}:ref:{ref}",
        "namespace_id": _number(f"gitlab/{namespace}", 7),
        "namespace_path": namespace,
        "project_id": _number(f"gitlab/{project}", 8),
        "project_path": project,
        "user_id": _number(f"gitlab/{options['user']}", 6),
        "user_login": options["user"],
        "user_email": f"{options['user']}@example.com",
        "user_access_level": "developer",
        "pipeline_id": _number(f"{project}/pipeline", 10),
        "pipeline_source": options["source"],
        "job_id": _number(f"{project}/job", 10),
        "ref": ref,
        "ref_type": kind,
        "ref_path": f"refs/{'tags' if kind == 'tag' else 'heads'}/{ref}",
        "ref_protected": str(ref == "main" if options["protected"] is None else options["protected"]).lower(),
        "environment": options["environment"],
        "environment_protected": "false" if options["environment"] else None,
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "sha": sha,
        "project_visibility": "private",
        "ci_config_ref_uri": config,
        "ci_config_sha": sha,
    }


def _circleci(options: Options, url: str) -> Claims:
    organization = url.rpartition("/")[2]
    project, contexts = str(options["project"]), options["contexts"]
    return {
        "sub": f"org/{organization}/project/{project}/user/{options['user']}",
        "oidc.circleci.com/org-id": organization,
        "oidc.circleci.com/project-id": project,
        "oidc.circleci.com/context-ids": contexts.split(",") if isinstance(contexts, str) else list(contexts or ()),
        "oidc.circleci.com/job-id": _uuid(f"circleci/{project}/job"),
        "oidc.circleci.com/pipeline-definition-id": _uuid(f"circleci/{project}/definition"),
        "oidc.circleci.com/ssh-rerun": False,
        "oidc.circleci.com/vcs-origin": options["origin"],
        "oidc.circleci.com/vcs-ref": f"refs/heads/{options['branch']}",
    }


def _bitbucket(options: Options, url: str) -> Claims:
    repository, step = f"{{{options['repository']}}}", f"{{{options['step']}}}"
    environment = f"{{{options['environment']}}}" if options["environment"] else None
    return {
        "sub": ":".join(part for part in (repository, environment, step) if part),
        "repositoryUuid": repository,
        "stepUuid": step,
        "deploymentEnvironmentUuid": environment,
        "pipelineUuid": f"{{{_uuid(f'bitbucket/{repository}/pipeline')}}}",
        "workspaceUuid": f"{{{_uuid(_workspace(url))}}}",
        "branchName": options["branch"],
    }


def _workspace(url: str) -> str:
    return f"bitbucket/{url.partition('/workspaces/')[2].partition('/')[0]}"


def _buildkite(options: Options, _: str) -> Claims:
    organization, pipeline = str(options["organization"]), str(options["pipeline"])
    ref = f"refs/tags/{options['tag']}" if options["tag"] else f"refs/heads/{options['branch']}"
    commit = _hex(f"{organization}/{pipeline}@{ref}")
    return {
        "sub": f"organization:{organization}:pipeline:{pipeline}:ref:{ref}:commit:{commit}:step:{options['step']}",
        "organization_slug": organization,
        "organization_id": _uuid(f"buildkite/{organization}"),
        "pipeline_slug": pipeline,
        "pipeline_id": _uuid(f"buildkite/{organization}/{pipeline}"),
        "build_number": 1,
        "build_branch": options["branch"],
        "build_tag": options["tag"],
        "build_commit": commit,
        "build_source": "webhook",
        "step_key": options["step"],
        "job_id": _uuid(f"buildkite/{organization}/{pipeline}/job"),
        "agent_id": _uuid(f"buildkite/{organization}/agent"),
        "cluster_id": _uuid(f"buildkite/{organization}/cluster"),
        "cluster_name": "Default cluster",
        "runner_environment": "self-hosted",
    }


def _terraform(options: Options, _: str) -> Claims:
    organization, project, workspace = (str(options[name]) for name in ("organization", "project", "workspace"))
    path = f"organization:{organization}:project:{project}:workspace:{workspace}"
    return {
        "sub": f"{path}:run_phase:{options['run_phase']}",
        "terraform_organization_id": f"org-{_number(organization, 16)}",
        "terraform_organization_name": organization,
        "terraform_project_id": f"prj-{_number(f'{organization}/{project}', 16)}",
        "terraform_project_name": project,
        "terraform_workspace_id": f"ws-{_number(f'{organization}/{workspace}', 16)}",
        "terraform_workspace_name": workspace,
        "terraform_full_workspace": path,
        "terraform_run_id": f"run-{_number(f'{path}/run', 16)}",
        "terraform_run_phase": options["run_phase"],
    }


# -- workloads and people ------------------------------------------------------------------------------------------


def _kubernetes(options: Options, _: str) -> Claims:
    namespace, account, pod = (str(options[name]) for name in ("namespace", "service_account", "pod"))
    place = f"kubernetes/{namespace}"
    return {
        "sub": f"system:serviceaccount:{namespace}:{account}",
        "kubernetes.io": {
            "namespace": namespace,
            "node": {"name": options["node"], "uid": _uuid(f"kubernetes/{options['node']}")},
            "pod": {"name": pod, "uid": _uuid(f"{place}/{pod}")},
            "serviceaccount": {"name": account, "uid": _uuid(f"{place}/{account}")},
        },
    }


def _google(options: Options, _: str) -> Claims:
    """A service account's identity token. Its azp is the account, so AWS's `aud` key is the account's id too."""
    subject = _number(f"google/{options['email']}", 21)
    organization = options["organization_number"]
    return {
        "sub": subject,
        "azp": subject,
        "email": options["email"],
        "email_verified": True,
        "google": {"organization_number": int(organization)} if organization else None,
    }


def _entra(options: Options, url: str) -> Claims:
    """A version 1 access token of a managed identity."""
    tenant = url.rstrip("/").rpartition("/")[2]
    subject = str(options["object_id"])
    return {
        "sub": subject,
        "oid": subject,
        "tid": tenant,
        "idp": url,
        "appid": str(options["app_id"]),
        "appidacr": "2",
        "ver": "1.0",
    }


def _plain(_: Options, __: str) -> Claims:
    return {"sub": "lab-user"}


_CIRCLECI_ORGANIZATION = "8d5f3b6c-1f0e-4d56-9a4e-2b1c7e9f0a11"
_TENANT = "7c1f3a90-5f0b-4a0e-8f57-1d2c3b4a5e6f"

PRESETS: Mapping[str, Preset] = {
    "github": Preset("https://token.actions.githubusercontent.com", _github, _GITHUB, lifetime=300, early=600),
    "gitlab": Preset(
        "https://gitlab.com",
        _gitlab,
        {
            "project": "lab-group/lab-project",
            "branch": "main",
            "tag": None,
            "environment": None,
            "user": "lab-user",
            "source": "push",
            "protected": None,
        },
        early=5,
    ),
    "kubernetes": Preset(
        "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
        _kubernetes,
        {
            "namespace": "default",
            "service_account": "default",
            "pod": "lab-pod",
            "node": "ip-10-0-0-1.ec2.internal",
        },
        audience=lambda _: [STS_AUDIENCE],
        lifetime=86_400,
    ),
    "google": Preset(
        "https://accounts.google.com",
        _google,
        {"email": "lab@lab-project.iam.gserviceaccount.com", "organization_number": None},
        early=None,
    ),
    "terraform-cloud": Preset(
        "https://app.terraform.io",
        _terraform,
        {
            "organization": "lab-org",
            "project": "Default Project",
            "workspace": "lab-workspace",
            "run_phase": "plan",
        },
        audience=lambda _: "aws.workload.identity",
        early=60,
    ),
    "circleci": Preset(
        f"https://oidc.circleci.com/org/{_CIRCLECI_ORGANIZATION}",
        _circleci,
        {
            "project": _uuid("circleci/project"),
            "user": _uuid("circleci/user"),
            "branch": "main",
            "origin": "github.com/lab-org/lab-repo",
            "contexts": None,
        },
        audience=lambda url: url.rpartition("/")[2],
        early=None,
    ),
    "bitbucket": Preset(
        "https://api.bitbucket.org/2.0/workspaces/lab-workspace/pipelines-config/identity/oidc",
        _bitbucket,
        {
            "repository": _uuid("bitbucket/repository"),
            "environment": None,
            "step": _uuid("bitbucket/step"),
            "branch": "main",
        },
        audience=lambda url: f"ari:cloud:bitbucket::workspace/{_uuid(_workspace(url))}",
        early=None,
    ),
    "buildkite": Preset(
        "https://agent.buildkite.com",
        _buildkite,
        {
            "organization": "lab-org",
            "pipeline": "lab-pipeline",
            "branch": "main",
            "tag": None,
            "step": "deploy",
        },
        lifetime=300,
    ),
    "entra": Preset(
        f"https://sts.windows.net/{_TENANT}/",
        _entra,
        {"object_id": _uuid("entra/identity"), "app_id": _uuid("entra/app")},
        audience=lambda _: "api://aws-federation",
        early=0,
    ),
    "plain": Preset("https://issuer.example.com", _plain),
}
"""The kinds of issuer there are. `plain` is any other: whatever claims it is given."""


def misspelt(issuer: str, given: Iterable[str]) -> str:
    """What is wrong with the names of options and claims, "" when nothing is: one that is nearly known was meant so.

    Any name may be a claim of somebody's own; of an issuer that is not called as its preset none is known.
    """
    from sts_emulator.core.spelling import nearest

    if issuer not in PRESETS:
        return ""
    preset = PRESETS[issuer]
    known = {"expires_in", "iss", "sub", "aud", "exp", "iat", "nbf", "jti", *preset.options}
    known |= preset.claims(dict(preset.options), "https://issuer.example").keys()
    for name in given:
        near = nearest(name, known, likeness=0.85)
        if near and name not in known:
            return f"`{name}` is no option or claim of issuer `{issuer}`; did you mean `{near}`?"
    return ""

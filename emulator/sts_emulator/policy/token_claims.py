"""Owns which claims of a token, beside those that every issuer has, AWS turns into condition keys.

Source: docs/aws/oidc-issuers.md, "Condition keys". Every other claim is no key, and a condition on it never matches.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLAIMS = (
    (
        r"token\.actions\.(githubusercontent\.com|[^/]+\.ghe\.com)(/.*)?|github\.com/enterprises/.+",
        (
            *("actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository"),
            *("repository_id", "repository_owner_id", "workflow"),
        ),
    ),
    (
        r"gitlab\.com",
        (
            *("namespace_id", "pipeline_source", "project_id", "ref_protected", "runner_environment"),
            *("user_access_level", "user_email", "user_id", "user_login"),
        ),
    ),
    (
        r"agent\.(buildkite\.com|[^/]+\.buildkite\.(dev|site))",
        (
            *("build_branch", "cluster_id", "cluster_name", "organization_id", "organization_slug"),
            *("pipeline_id", "pipeline_slug"),
        ),
    ),
    (r"oidc\.circleci\.com/org/.+", ("oidc.circleci.com/project-id",)),
    (r"idcs-[^/]+\.identity\.oraclecloud\.com", ("rpst_id",)),
    (r"accounts\.google\.com", ("google/organization_number",)),
    (r"www\.amazon\.com", ("app_id", "user_id")),
    (r"graph\.facebook\.com", ("app_id", "id")),
)
"""Issuers, by their URLs without scheme, with the names of the claims."""


@lru_cache(maxsize=1024)
def more_claims(issuer: str) -> tuple[str, ...]:
    """The claims of an issuer that become keys beside `sub`, `aud`, `amr` and the like."""
    return next((claims for pattern, claims in _CLAIMS if re.fullmatch(pattern, issuer)), ())

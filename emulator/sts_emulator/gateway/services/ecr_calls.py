"""ECR: repositories, in the registry of the caller or of the account that a call names."""

from __future__ import annotations

from sts_emulator.gateway.overlay import Overlay

OVERLAY = Overlay(
    members={"RepositoryName": "repositoryName|repositoryNames", "Account": "registryId"},
    actions={"ListImageReferrers": ("BatchGetImage",)},  # API Reference, ListImageReferrers
    tags_with={"CreateRepository": "TagResource"},
    passes={
        **{
            f"{verb}RepositoryCreationTemplate": ("customRoleArn", "ecr.amazonaws.com") for verb in ("Create", "Update")
        },
        **{
            f"{verb}PullThroughCacheRule": ("customRoleArn", "pullthroughcache.ecr.amazonaws.com")
            for verb in ("Create", "Update")
        },
    },
)

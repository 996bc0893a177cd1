"""Whoever has no policy gets nothing to the upstream, by any operation of any service that the map has."""

from __future__ import annotations

import contextlib

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from door_lab import client
from test_map_of_actions import sample

from sts_emulator.gateway.known_actions import PREFIXES

BARE = Config(
    parameter_validation=False, inject_host_prefix=False, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}
)  # fmt: skip
OF_SDKS = b"amz-sdk-invocation-id"  # in every call of a client, and in none of the door's own questions


@pytest.mark.parametrize("service", sorted(PREFIXES))
def test_no_operation_passes_without_a_permission(upstream, before_it, service):
    bob = before_it.client(service, user="bob", config=BARE)
    let_in = []
    for name in bob.meta.service_model.operation_names:
        shape = bob.meta.service_model.operation_model(name).input_shape
        parameters = sample(shape, "", whole=False) if shape else {}
        with contextlib.suppress(BotoCoreError):  # what cannot be sent
            try:
                bob._make_api_call(name, parameters)
                let_in.append(name)
            except ClientError:
                pass
    assert let_in == []
    assert [call for call in upstream.heard if OF_SDKS in call] == []


def test_what_is_allowed_is_told_from_the_door_s_own_questions(upstream, before_it):
    client(before_it, "sqs").list_queues()
    assert [OF_SDKS in call for call in upstream.heard] == [True]

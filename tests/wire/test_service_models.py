"""Models are read without botocore's code, and one that says something unimplemented does not load."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest

from sts_emulator.wire import models

MINIMAL = {
    "metadata": {"apiVersion": "2020-01-01", "endpointPrefix": "demo", "protocol": "query", "xmlNamespace": "urn:demo"},
    "operations": {"Do": {"name": "Do", "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "In"}}},
    "shapes": {"In": {"type": "structure", "members": {"A": {"shape": "S"}}}, "S": {"type": "string"}},
}


def changed(path, value):
    model = copy.deepcopy(MINIMAL)
    place = model
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return model


def test_the_minimal_model_loads():
    service = models.Service("demo", copy.deepcopy(MINIMAL))
    assert service.operations["Do"].input.members["A"].shape.type == "string"
    assert (service.signing_name, service.protocol, list(service.operations)) == ("demo", "query", ["Do"])


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("metadata", "compression"), "gzip", "demo: trait `compression` of metadata is not implemented"),
        (
            ("metadata", "protocol"),
            "smithy-rpc-v2-cbor",
            "demo: none of its protocols \\['smithy-rpc-v2-cbor'\\] is implemented",
        ),
        (
            ("operations", "Do", "httpChecksumRequired"),
            True,
            "demo: trait `httpChecksumRequired` of Do is not implemented",
        ),
        (("operations", "Do", "http", "hostPrefix"), "x.", "demo: trait `hostPrefix` of Do is not implemented"),
        (("shapes", "In", "flattened"), True, "demo: trait `flattened` of In is not implemented"),
        (("shapes", "In", "members", "A", "jsonvalue"), True, "demo: trait `jsonvalue` of In.A is not implemented"),
        (
            ("shapes", "In", "members", "A", "location"),
            "headers",
            "demo: location `headers` of In.A is not implemented",
        ),
        (("shapes", "S", "type"), "eventstream", "demo: type `eventstream` of S is not implemented"),
        (("shapes", "S", "eventstream"), True, "demo: trait `eventstream` of S is not implemented"),
    ],
)
def test_what_is_not_implemented_does_not_load(path, value, message):
    with pytest.raises(models.UnsupportedModelError, match=message):
        models.Service("demo", changed(path, value))


def test_of_several_protocols_a_supported_one_is_chosen():
    model = changed(("metadata", "protocols"), ["smithy-rpc-v2-cbor", "json", "query"])
    assert models.Service("demo", model).protocol == "json"


def test_an_unknown_service():
    with pytest.raises(KeyError):
        models.service("s3")


@pytest.mark.parametrize("name", models.services())
def test_every_served_model_loads_with_all_its_operations(name):
    service = models.service(name)
    assert service.api_version == models.api_version(name)
    assert service.signing_name
    for operation in service.operations.values():
        assert operation.auth in ("v4", "none", "bearer")
        assert all(400 <= status < 600 for status in operation.errors.values())
    assert models.service(name) is service


def test_unsigned_operations_are_known():
    unsigned = {name for name, operation in models.service("sts").operations.items() if operation.auth == "none"}
    assert unsigned == {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}


def test_reading_models_imports_nothing_of_botocore():
    code = (
        "import sys; from sts_emulator.wire import dispatch, http, models, protocols, sigv4, validate;"
        "[models.service(name) for name in models.services()];"
        "heavy = {'botocore', 'cryptography', 'fastapi', 'jwt', 'urllib3', 'yaml'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

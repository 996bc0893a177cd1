"""botocore serialises and the wire parses; the wire renders and botocore parses: every operation of every service."""

from __future__ import annotations

import pytest
from botocore_side import Values, model, parse, plain, protocol, serialise, without_empty

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import dispatch, models, protocols

SEEDS = ("a", "b", "c", "d")
FORMS = ("query", "ec2")
OVERLAID = {"rolesanywhere": {"CreateSession"}}  # in no SDK's model


def operations(service):
    return [models.service(service).operations[name] for name in model(service).operation_names]


@pytest.mark.parametrize("service", models.services())
def test_every_operation_is_known(service):
    # given botocore's own reading of the model, when the wire reads it, then both know the same operations
    assert set(models.service(service).operations) == {*model(service).operation_names, *OVERLAID.get(service, ())}


@pytest.mark.parametrize("service", models.services())
def test_requests_arrive_as_they_were_meant(service):
    scope = f"20261129/us-east-1/{models.service(service).signing_name}/aws4_request"
    for operation in operations(service):
        theirs = model(service).operation_model(operation.name)
        for seed in SEEDS[: 2 if service == "ec2" else None]:
            # given parameters for the operation
            values = Values(f"{operation.name}-{seed}")
            params = values.value(theirs.input_shape) if theirs.input_shape else {}
            # when botocore sends them
            request = serialise(theirs, params)
            request.headers["authorization"] = f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders=host"
            # then the wire knows which operation is meant, and with which parameters
            matched = dispatch.match(request)
            assert (matched[0].name, matched[1].name) == (service, operation.name), request
            expected = plain(params)
            if protocol(service) in FORMS:
                expected = without_empty(expected, gaps=service != "ec2")
            assert protocols.parse(matched[1], request) == expected, (operation.name, request)


@pytest.mark.parametrize("service", models.services())
def test_results_arrive_as_they_were_returned(service):
    for operation in operations(service):
        theirs = model(service).operation_model(operation.name)
        for seed in SEEDS[: 2 if service == "ec2" else None]:
            # given a result of the operation
            result = Values(f"{operation.name}-{seed}").value(theirs.output_shape) if theirs.output_shape else {}
            # when the wire renders it
            response = protocols.render(operation, plain(result), "00000000-0000-4000-8000-000000000000")
            # then botocore reads the same, and finds the request id
            read = parse(service, response, theirs.output_shape)
            metadata = read.pop("ResponseMetadata")
            assert plain(read) == plain(result), (operation.name, response.body)
            assert metadata["RequestId"] == "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("service", models.services())
def test_declared_errors_arrive_under_their_own_class(service):
    for operation in operations(service):
        theirs = model(service).operation_model(operation.name)
        for shape in theirs.error_shapes:
            code = models.service(service).errors[shape.name].code
            # given an error that the operation declares, with members beside the message
            extra = {
                name: "told"
                for name, member in shape.members.items()
                if name.lower() not in ("message", "error_description", "requestid") and member.type_name == "string"
            }
            error = AwsError(code, "Something <was> wrong: ä", members=extra)
            # when the wire renders it
            response = protocols.render_error(operation.service, operation, error, "rid")
            # then botocore raises the class of that shape, with the status of the model and all members
            read = parse(service, response, theirs.output_shape)
            raised = model(service).shape_for_error_code(read["Error"]["Code"])
            assert raised is not None
            assert raised is model(service).shape_for_error_code(code)
            assert response.status == operation.errors[code]
            modelled = parse(service, response, shape)
            told = modelled["error_description"] if "error_description" in shape.members else read["Error"]["Message"]
            assert told == error.message, (operation.name, shape.name, response.body)
            assert {name: modelled.get(name) for name in extra} == extra

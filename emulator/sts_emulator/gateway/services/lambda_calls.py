"""Lambda: functions by name, part of an ARN or all of it, with their versions and aliases; layers; roles passed on."""

from __future__ import annotations

import re
from typing import Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question
from sts_emulator.policy.arns import unqualified

_PARTIAL: Final = re.compile(r"(?P<account>[0-9]{12}):function:(?P<name>.+)")
_LAYER: Final = re.compile(r"(arn:[^:]*:lambda:[^:]*:[^:]*:layer:[^:]+)(?::[0-9]+)?")

_OF_FUNCTIONS: Final = (
    *("AddPermission", "CreateAlias", "CreateFunctionUrlConfig", "DeleteAlias", "DeleteFunction"),
    *("DeleteFunctionCodeSigningConfig", "DeleteFunctionConcurrency", "DeleteFunctionEventInvokeConfig"),
    *("DeleteFunctionUrlConfig", "DeleteProvisionedConcurrencyConfig", "GetAlias", "GetFunction"),
    *("GetFunctionCodeSigningConfig", "GetFunctionConcurrency", "GetFunctionConfiguration"),
    *("GetFunctionEventInvokeConfig", "GetFunctionRecursionConfig", "GetFunctionScalingConfig"),
    *("GetFunctionUrlConfig", "GetPolicy", "GetProvisionedConcurrencyConfig", "GetRuntimeManagementConfig"),
    *("InvokeAsync", "ListAliases", "ListDurableExecutionsByFunction", "ListFunctionEventInvokeConfigs"),
    *("ListFunctionUrlConfigs", "ListProvisionedConcurrencyConfigs", "ListVersionsByFunction"),
    *("PublishVersion", "PutFunctionConcurrency", "PutFunctionEventInvokeConfig"),
    *("PutFunctionRecursionConfig", "PutFunctionScalingConfig", "PutProvisionedConcurrencyConfig"),
    *("PutRuntimeManagementConfig", "RemovePermission", "UpdateAlias", "UpdateFunctionCode"),
    *("UpdateFunctionEventInvokeConfig", "UpdateFunctionUrlConfig"),
)


def _function(call: Call, name: str, qualifier: str = "") -> str:
    """A function's ARN from any of the forms in which calls name it.

    A call that names a version or an alias is one on that: only a policy that covers the qualified ARN allows it.
    """
    partial = _PARTIAL.fullmatch(name)
    if name.startswith("arn:"):
        arn = name
    elif partial:
        arn = f"arn:{call.partition}:lambda:{call.region}:{partial['account']}:function:{partial['name']}"
    else:
        arn = f"arn:{call.partition}:lambda:{call.region}:{call.account}:function:{name or '*'}"
    return f"{arn}:{qualifier}" if qualifier and unqualified(arn)[0] == arn else arn


def _named(question: Question) -> str:
    return _function(question.call, question.first("FunctionName"), question.first("Qualifier"))


def _made(question: Question) -> list[Need]:
    """The function, the layers that are put beneath it, and the capacity that it is given."""
    capacity = "CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig.CapacityProviderArn"
    given = [question.need("PassCapacityProvider", arn) for arn in read.at(question.call.parameters, capacity)]
    return [*question.on(_named(question)), *_layers(question), *given]


def _layers(question: Question) -> list[Need]:
    layers = question.call.parameters.get("Layers")
    named = layers if isinstance(layers, list) else []
    return [question.need("GetLayerVersion", layer) for layer in named if isinstance(layer, str) and layer]


def _signed(question: Question) -> list[Need]:
    signing = question.first("CodeSigningConfigArn") or question.arn("code signing config")
    return question.on(signing, _named(question))


def _layer(question: Question) -> list[Need]:
    """A layer or a version of it; calls name the layer by its name or its ARN."""
    name, version = question.first("LayerName"), question.first("VersionNumber")
    whole = _LAYER.fullmatch(name)
    arn = whole[1] if whole else question.arn("layer", LayerName=name or "*")
    return question.on(arn if question.call.operation == "PublishLayerVersion" else f"{arn}:{version or '*'}")


def _by_arn(question: Question) -> list[Need]:
    return [question.need("GetLayerVersion", question.first("Arn") or question.arn("layerVersion"))]


def _more_keys(call: Call, action: Action) -> dict[str, tuple[str, ...]]:
    """A mapping of events has no function in its ARN: policies tell it by a condition key."""
    name = call.parameters.get("FunctionName")
    if "lambda:functionarn" not in action.keys or not isinstance(name, str) or not name:
        return {}
    return {"lambda:functionarn": (_function(call, name),)}


_LAYERS: Final = ("AddLayerVersionPermission", "DeleteLayerVersion", "GetLayerVersion", "GetLayerVersionPolicy")

OVERLAY = Overlay(
    rules={
        **dict.fromkeys(
            ("Invoke", "InvokeWithResponseStream"),
            lambda question: [question.need("InvokeFunction", _named(question))],
        ),
        **dict.fromkeys(_OF_FUNCTIONS, lambda question: question.on(_named(question))),
        **dict.fromkeys((*_LAYERS, "RemoveLayerVersionPermission", "PublishLayerVersion"), _layer),
        "CreateFunction": _made,
        "UpdateFunctionConfiguration": _made,
        "PutFunctionCodeSigningConfig": _signed,
        "GetLayerVersionByArn": _by_arn,
    },
    members={
        "durable execution.FunctionName": "DurableExecutionArn",
        "code signing config.CodeSigningConfigId": "CodeSigningConfigArn",
    },
    keys={
        "lambda:principal": "Principal",
        "lambda:functionurlauthtype": "FunctionUrlAuthType|AuthType",
        "lambda:layer": "Layers",
        "lambda:subnetids": "VpcConfig.SubnetIds",
        "lambda:securitygroupids": "VpcConfig.SecurityGroupIds",
        "lambda:codesigningconfigarn": "CodeSigningConfigArn",
    },
    passes={
        **dict.fromkeys(("CreateFunction", "UpdateFunctionConfiguration"), ("Role", "lambda.amazonaws.com")),
        "CreateCapacityProvider": ("PermissionsConfig.CapacityProviderOperatorRoleArn", "lambda.amazonaws.com"),
    },
    tags_with=dict.fromkeys(
        ("CreateFunction", "CreateEventSourceMapping", "CreateCodeSigningConfig", "CreateCapacityProvider"),
        "TagResource",
    ),
    more_keys=_more_keys,
    whole_arns=("Resource", "ResourceArn"),
)

"""Systems Manager: parameters by their path, documents (AWS's own have no account), instances and managed nodes.

Source: docs/aws/s3-and-gateway.md, "Resources as denials name them".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.overlay import Overlay, Question, Rule, role_named

_OF_PARAMETERS: Final = (
    *("DeleteParameter", "DeleteParameters", "GetParameter", "GetParameters", "GetParametersByPath"),
    *("GetParameterHistory", "LabelParameterVersion", "PutParameter", "UnlabelParameterVersion"),
)
_OF_INSTANCES: Final = (
    *("DescribeEffectiveInstanceAssociations", "DescribeInstanceAssociationsStatus"),
    *("DescribeInstancePatchStates", "DescribeInstancePatches"),
)
_OF_DOCUMENTS: Final = (
    *("CreateDocument", "DeleteDocument", "DescribeDocument", "DescribeDocumentPermission", "GetDocument"),
    *("ListDocumentMetadataHistory", "ListDocumentVersions", "ModifyDocumentPermission", "UpdateDocument"),
    *("UpdateDocumentDefaultVersion", "UpdateDocumentMetadata"),
)
_AWS_OWNED: Final = ("AWS-", "Amazon", "AWSEC2-", "AWSSupport-", "AWSConfigRemediation-", "AWSFleetManager-")
_TAGGED: Final = {  # the type and the placeholder of what tagging calls name by ResourceType
    "Document": "document",
    "ManagedInstance": "managed-instance",
    "MaintenanceWindow": "maintenancewindow",
    "Parameter": "parameter",
    "PatchBaseline": "patchbaseline",
    "OpsItem": "opsitem",
    "OpsMetadata": "opsmetadata",
    "Automation": "automation-execution",
    "Association": "association",
}


def _parameter(question: Question, name: str) -> str:
    """A parameter's ARN: without the leading slash, and without the version or label that a call may add."""
    if name.startswith("arn:"):
        head, _, path = name.partition(":parameter/")
        return f"{head}:parameter/{path.partition(':')[0]}"
    plain = name.partition(":")[0].removeprefix("/")
    return question.arn("parameter", ParameterNameWithoutLeadingSlash=plain.rstrip("/") if name else "*")


def _on_parameters(question: Question) -> list[Need]:
    """The need for each; where values come or go in plain text that lie encrypted, the key's permission besides."""
    operation = question.call.operation
    names = read.at(question.call.parameters, "Name|Names|Path") or ("",)
    needs = [question.need(operation, _parameter(question, name)) for name in dict.fromkeys(names)]
    if question.first("WithDecryption") == "true":
        needs.append(question.dependent("kms:Decrypt", ""))
    if question.first("Type") == "SecureString":
        needs.append(question.dependent("kms:Encrypt", question.first("KeyId")))
    return needs


def _document(question: Question, name: str) -> str:
    if name.startswith("arn:"):
        return name
    owner = "" if name.startswith(_AWS_OWNED) else question.call.account
    return question.arn("document", DocumentName=name or "*", Account=owner)


def _instance(question: Question, name: str) -> str:
    """An instance of EC2, or a managed node (`mi-…`)."""
    return question.arn("managed-instance" if name.startswith("mi-") else "instance", InstanceId=name or "*")


def _on_instances(question: Question) -> list[Need]:
    names = read.at(question.call.parameters, "InstanceId|InstanceIds|Target") or ("",)
    return question.on(*(_instance(question, name) for name in names))


def _sent(question: Question) -> list[Need]:
    """A command needs its document and every instance; one that goes by tags may reach any."""
    instances = read.at(question.call.parameters, "InstanceIds")
    reached = (*instances, "") if question.call.parameters.get("Targets") or not instances else instances
    arns = [_document(question, question.first("DocumentName")), *(_instance(question, name) for name in reached)]
    return question.on(*arns)


def _opened(question: Question) -> list[Need]:
    """A session needs its target, and its document where it names one."""
    document = question.first("DocumentName")
    arns = [_instance(question, question.first("Target")), *([_document(question, document)] if document else [])]
    return question.on(*arns)


def _automated(question: Question) -> list[Need]:
    name, version = question.first("DocumentName"), question.first("DocumentVersion") or "$DEFAULT"
    owner = "" if name.startswith(_AWS_OWNED) else question.call.account
    names = {"AutomationDefinitionName": name or "*", "VersionId": version, "Account": owner}
    return question.on(name if name.startswith("arn:") else question.arn("automation-definition", **names))


def _associated(question: Question) -> list[Need]:
    """An association by its id, or by its document and instance."""
    association = question.first("AssociationId")
    arns = [question.arn("association", AssociationId=association)] if association else []
    document, instance = question.first("Name"), question.first("InstanceId")
    arns += [_document(question, document)] if document else []
    arns += [_instance(question, instance)] if instance else []
    return question.on(*(arns or [question.arn("association")]))


def _changed_association(question: Question) -> list[Need]:
    """Who changes one must be allowed to see it (API Reference, "UpdateAssociation")."""
    needs = _associated(question)
    return [*needs, *(question.need("DescribeAssociation", need.resource) for need in needs)]


def _several_associated(question: Question) -> list[Need]:
    documents = read.at(question.call.parameters, "Entries.Name") or ("",)
    arns = [_document(question, name) for name in documents]
    arns += [_instance(question, name) for name in read.at(question.call.parameters, "Entries.InstanceId")]
    return question.on(*dict.fromkeys(arns))


def _tagged(question: Question) -> list[Need]:
    kind, name = _TAGGED.get(question.first("ResourceType"), ""), question.first("ResourceId")
    if name.startswith("arn:"):
        return question.on(name)
    if kind == "parameter":
        return question.on(_parameter(question, name))
    if not kind or not name:
        return question.on(f"arn:{question.call.partition}:ssm:*:*:*")
    return question.on(question.arn(kind).removesuffix("*") + name)


def _setting(question: Question) -> list[Need]:
    name = question.first("SettingId").removeprefix("/")
    return question.on(name if name.startswith("arn:") else question.arn("servicesetting", ResourceId=name or "*"))


def _with_another_role(question: Question) -> list[Need]:
    """A managed node and the role that it gets, which is named by its name."""
    node = question.arn("managed-instance", InstanceId=question.first("InstanceId") or "*")
    return question.on(role_named(question.first("IamRole")), node)


_HOST_ROLE: Final = "ssm/managed-instance/default-ec2-instance-management-role"


def _hosts(*actions: str) -> Rule:
    """The default role of hosts is a setting (API Reference, each operation).

    A role that Systems Manager has made itself it deletes again, for which iam:DeleteRole is needed; the request does
    not tell whether it has, and roles are not at the upstream.
    """

    def rule(question: Question) -> list[Need]:
        setting = question.arn("servicesetting", ResourceId=_HOST_ROLE)
        needs = [question.need(action, setting) for action in actions]
        if "UpdateServiceSetting" not in actions:
            return needs
        passed = question.passed(question.first("RoleArn") or "*", "ssm.amazonaws.com")
        on_role = ["iam:GetRole"]
        if question.first("PermissionModel") == "SERVICE_MANAGED":
            on_role += ["iam:CreateRole", "iam:AttachRolePolicy"]
        return [*needs, passed, *(Need(action, passed.resource) for action in on_role)]

    return rule


_WITH_PARAMETERS: Final = ("Runbooks", "Entries", "TaskInvocationParameters.Automation", "ExecutionInputs.Automation")
_ASSUMED: Final = re.compile(r"""assumeRole["']?\s{0,9}:\s{0,9}["']?(arn:[^\s"',}]{1,200})""")


def _besides(question: Question) -> Iterable[Need]:
    """Roles that automations assume: named in a runbook's parameters, in a document that is made, or as the default.

    A runbook may call the parameter of its role differently than all of AWS's do, which only the upstream could tell.
    """
    given = question.call.parameters
    roles: list[str] = []
    for holder in (given, *(part for path in _WITH_PARAMETERS for part in read.structures(given, path))):
        named = holder.get("Parameters")
        for name, values in named.items() if isinstance(named, Mapping) else ():
            if name.lower().endswith("assumerole"):
                roles += [role for role in read.at({name: values}, name) if role and "{{" not in role]
    if question.call.operation in ("CreateDocument", "UpdateDocument"):
        roles += _ASSUMED.findall(question.first("Content"))
    if question.call.operation == "UpdateServiceSetting" and question.first("SettingId").endswith(_HOST_ROLE):
        roles.append(question.first("SettingValue"))
    return [question.passed(role, "ssm.amazonaws.com") for role in dict.fromkeys(roles)]


OVERLAY = Overlay(
    members={
        **{f"{kind}.ResourceId": path for kind, path in (("maintenancewindow", "WindowId"), ("opsitem", "OpsItemId"))},
        "opsmetadata.ResourceId": "OpsMetadataArn",
        "PatchBaselineIdResourceId": "BaselineId",
        "DocumentName": "DocumentName",
        "document.DocumentName": "CalendarNames",
        "BucketName": "S3Destination.BucketName",
    },
    rules={
        **dict.fromkeys(_OF_PARAMETERS, _on_parameters),
        **dict.fromkeys(_OF_INSTANCES, _on_instances),
        **dict.fromkeys(_OF_DOCUMENTS, lambda question: question.on(_document(question, question.first("Name")))),
        **dict.fromkeys(("CreateAssociation", "DeleteAssociation", "DescribeAssociation"), _associated),
        "UpdateAssociation": _changed_association,
        "UpdateAssociationStatus": _associated,
        "CreateAssociationBatch": _several_associated,
        **dict.fromkeys(("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"), _tagged),
        **dict.fromkeys(("GetServiceSetting", "ResetServiceSetting", "UpdateServiceSetting"), _setting),
        **dict.fromkeys(("StartAutomationExecution", "StartChangeRequestExecution"), _automated),
        "SendCommand": _sent,
        "UpdateManagedInstanceRole": _with_another_role,
        "StartSession": _opened,
        "GetConnectionStatus": _on_instances,
        "RegisterDefaultHostManagementConfiguration": _hosts("GetServiceSetting", "UpdateServiceSetting"),
        "DeregisterDefaultHostManagementConfiguration": _hosts("GetServiceSetting", "ResetServiceSetting"),
    },
    keys={
        "ssm:recursive": "Recursive",
        "ssm:overwrite": "Overwrite",
        "ssm:policies": "Policies",
        "ssm:documenttype": "DocumentType",
        "ssm:synctype": "SyncType",
    },
    passes={
        "CreateActivation": ("IamRole", "ssm.amazonaws.com"),
        "SendCommand": ("ServiceRoleArn", "ssm.amazonaws.com"),
        **dict.fromkeys(
            ("RegisterTaskWithMaintenanceWindow", "UpdateMaintenanceWindowTask"),
            ("ServiceRoleArn|TaskInvocationParameters.RunCommand.ServiceRoleArn", "ssm.amazonaws.com"),
        ),
        **dict.fromkeys(
            ("CreateAssociation", "CreateAssociationBatch", "UpdateAssociation"),
            ("AssociationDispatchAssumeRole", "ssm.amazonaws.com"),
        ),
        "CreateCloudConnector": ("RoleArn", "ssm.amazonaws.com"),
        "UpdateManagedInstanceRole": ("IamRole", "ssm.amazonaws.com"),
    },
    tags_with=dict.fromkeys(
        ("PutParameter", "CreateDocument", "CreateMaintenanceWindow", "CreatePatchBaseline", "CreateOpsItem"),
        "AddTagsToResource",
    ),
    besides=_besides,
)

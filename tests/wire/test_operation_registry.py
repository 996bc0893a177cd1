"""Functions become operations only if they agree with the model, and their modules load when first needed."""

# ruff: noqa: ARG001, ARG005  # the parameters are what is tested

from __future__ import annotations

import sys
from typing import TypedDict, Unpack

import pytest

from sts_emulator.wire import dispatch
from sts_emulator.wire.dispatch import operation


def agree(service, name, function):
    return operation(service, name)(function)


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    monkeypatch.setattr(dispatch, "REGISTRY", {})
    monkeypatch.setattr(dispatch, "MODULES", {})


def test_a_function_with_the_wire_names_is_registered_as_it_is():
    @operation("sts", "GetAccessKeyInfo")
    def get_access_key_info(ctx, *, AccessKeyId):
        return {"Account": "123456789012"}

    assert dispatch.find("sts", "GetAccessKeyInfo") is get_access_key_info
    assert dispatch.find("sts", "GetCallerIdentity") is None


def test_a_parameter_that_the_model_does_not_know():
    with pytest.raises(
        TypeError,
        match="sts:GetAccessKeyInfo: parameter `KeyId` is not in the model; member `AccessKeyId` has no parameter",
    ):
        agree("sts", "GetAccessKeyInfo", lambda ctx, *, KeyId: {})


def test_a_member_without_a_parameter():
    with pytest.raises(TypeError, match="member `TokenCode` has no parameter"):
        agree(
            "sts",
            "GetSessionToken",
            lambda ctx, *, DurationSeconds=None, SerialNumber=None, MinimumSessionTokenSize=0: {},
        )


def test_a_rest_parameter_absorbs_what_is_not_named():
    assert agree("sts", "GetSessionToken", lambda ctx, *, DurationSeconds=None, **_rest: {})


class Device(TypedDict, total=False):
    SerialNumber: str
    TokenCode: str


class Misspelt(TypedDict, total=False):
    SerialNo: str


def test_a_rest_parameter_of_a_type_absorbs_what_the_type_names():
    def one_missing(ctx, *, DurationSeconds=None, **device: Unpack[Device]):
        return {}

    def one_too_many(ctx, **device: Unpack[Misspelt]):
        return {}

    def complete(ctx, *, DurationSeconds=None, MinimumSessionTokenSize=0, **device: Unpack[Device]):
        return {}

    with pytest.raises(TypeError, match=r"sts:GetSessionToken: member `MinimumSessionTokenSize` has no parameter$"):
        agree("sts", "GetSessionToken", one_missing)
    with pytest.raises(TypeError, match="parameter `SerialNo` is not in the model"):
        agree("sts", "GetSessionToken", one_too_many)
    assert agree("sts", "GetSessionToken", complete)


def test_an_optional_member_needs_a_default():
    with pytest.raises(TypeError, match="parameter `DurationSeconds` may be absent and has no default"):
        agree("sts", "GetSessionToken", lambda ctx, *, DurationSeconds, **_rest: {})


def test_an_operation_that_the_service_does_not_have():
    with pytest.raises(TypeError, match="sts has no operation `AssumeRoles`"):
        agree("sts", "AssumeRoles", lambda ctx: {})


def test_modules_load_on_the_first_request_to_their_service(tmp_path, monkeypatch):
    # given a module that holds an operation
    (tmp_path / "lazily_loaded_operations.py").write_text(
        "from sts_emulator.wire.dispatch import operation\n"
        "@operation('sts', 'GetCallerIdentity')\n"
        "def get_caller_identity(ctx): return {}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    # when it is registered, then nothing loads
    dispatch.register_modules({"sts": ["lazily_loaded_operations"]})
    assert "lazily_loaded_operations" not in sys.modules
    # when another service is asked, then nothing loads either
    assert dispatch.find("iam", "ListUsers") is None
    assert "lazily_loaded_operations" not in sys.modules
    # when the service is asked, then its operations are there
    assert dispatch.find("sts", "GetCallerIdentity").__name__ == "get_caller_identity"
    del sys.modules["lazily_loaded_operations"]


def test_modules_load_one_by_one_until_the_operation_is_found(tmp_path, monkeypatch):
    names = ("first_operations", "second_operations", "third_operations")
    for name, action in zip(names, ("GetCallerIdentity", "GetSessionToken", "GetFederationToken"), strict=True):
        (tmp_path / f"{name}.py").write_text(
            f"from sts_emulator.wire.dispatch import operation\n@operation('sts', '{action}')\ndef run(ctx, **_): return {{}}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    dispatch.register_modules({"sts": names})

    for action, loaded in (("GetSessionToken", 2), ("GetCallerIdentity", 2), ("GetFederationToken", 3)):
        assert dispatch.find("sts", action).__module__ in names
        assert [name in sys.modules for name in names] == [True] * loaded + [False] * (3 - loaded)
    assert dispatch.find("sts", "AssumeRole") is None
    for name in names:
        del sys.modules[name]


def test_a_module_that_fails_to_load_fails_at_every_request(tmp_path, monkeypatch):
    (tmp_path / "broken_operations.py").write_text("raise RuntimeError('broken')")
    monkeypatch.syspath_prepend(tmp_path)
    dispatch.register_modules({"sts": ("broken_operations",)})
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            dispatch.find("sts", "GetCallerIdentity")

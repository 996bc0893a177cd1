"""Settings that are kept and told, and what administrators do with a user's factors."""

from __future__ import annotations

import time

import pytest

from sts_emulator.accounts.people import totp


def test_a_risk_configuration_is_kept_where_threat_protection_is_on(new_app, refusal):
    app = new_app(UserPoolAddOns={"AdvancedSecurityMode": "ENFORCED"})
    ranges = {"RiskExceptionConfiguration": {"BlockedIPRangeList": ["192.0.2.0/24"]}}
    app.admin.set_risk_configuration(UserPoolId=app.pool, **ranges)
    told = app.admin.describe_risk_configuration(UserPoolId=app.pool)["RiskConfiguration"]
    assert told["RiskExceptionConfiguration"] == ranges["RiskExceptionConfiguration"]
    of_client = {"UserPoolId": app.pool, "ClientId": app.client}
    assert "RiskExceptionConfiguration" not in app.admin.describe_risk_configuration(**of_client)["RiskConfiguration"]
    app.admin.set_risk_configuration(UserPoolId=app.pool)
    assert "LastModifiedDate" not in app.admin.describe_risk_configuration(UserPoolId=app.pool)["RiskConfiguration"]
    missing = refusal(app.admin.describe_risk_configuration, UserPoolId=app.pool, ClientId="nobody")
    assert missing[0] == "ResourceNotFoundException"


def test_elsewhere_there_is_none(app, refusal):
    refused = refusal(app.admin.describe_risk_configuration, UserPoolId=app.pool)
    assert refused[0] == "UserPoolAddOnNotEnabledException"


def test_where_logs_would_go(app, refusal):
    group = {"CloudWatchLogsConfiguration": {"LogGroupArn": "arn:aws:logs:us-east-1:111122223333:log-group:users"}}
    wanted = [{"LogLevel": "ERROR", "EventSource": "userNotification", **group}]
    app.admin.set_log_delivery_configuration(UserPoolId=app.pool, LogConfigurations=wanted)
    told = app.admin.get_log_delivery_configuration(UserPoolId=app.pool)["LogDeliveryConfiguration"]
    assert told["LogConfigurations"] == wanted
    for wrong in (wanted * 2, [{"LogLevel": "ERROR", "EventSource": "userNotification"}]):
        given = {"UserPoolId": app.pool, "LogConfigurations": wrong}
        assert refusal(app.admin.set_log_delivery_configuration, **given)[0] == "InvalidParameterException"


@pytest.fixture
def paired(app):
    """A user with an authenticator app, in a pool that lets them have one."""
    app.admin.set_user_pool_mfa_config(
        UserPoolId=app.pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    access = app.tokens()["AccessToken"]
    seed = app.idp.associate_software_token(AccessToken=access)["SecretCode"]
    app.idp.verify_software_token(AccessToken=access, UserCode=totp(seed, time.time()))
    preferred = {"Enabled": True, "PreferredMfa": True}
    app.idp.set_user_mfa_preference(AccessToken=access, SoftwareTokenMfaSettings=preferred)
    return app


def test_a_lost_authenticator_is_taken_away(paired, refusal):
    app, named = paired, {"UserPoolId": paired.pool, "Username": "ada"}
    factors = app.admin.admin_get_user_auth_factors(**named)
    assert factors["UserMFASettingList"] == ["SOFTWARE_TOKEN_MFA"]
    assert "PASSWORD" in factors["ConfiguredUserAuthFactors"]
    assert app.sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"

    app.admin.admin_delete_software_token(**named)
    assert app.tokens()["AccessToken"]
    assert "UserMFASettingList" not in app.admin.admin_get_user(**named)
    assert refusal(app.admin.admin_delete_software_token, **named)[0] == "ResourceNotFoundException"
    nobody = {**named, "Username": "nobody"}
    assert refusal(app.admin.admin_get_user_auth_factors, **nobody)[0] == "UserNotFoundException"

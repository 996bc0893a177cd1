"""Every parameter of every operation of the model is read, refused, or said in docs/cognito.md to change nothing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from test_operations_of_pools import PAGE, ROW, operations, words  # noqa: F401 - a fixture

from sts_emulator.wire import dispatch

_, _, TABLES = PAGE.partition("### Parameters that are refused")
REFUSED, _, IDLE = TABLES.partition("### Parameters that change nothing")

READ = {
    line.partition(":")[0]: set(line.partition(":")[2].split())
    for line in """
CreateUserPoolRequest: Policies DeletionProtection LambdaConfig AutoVerifiedAttributes AliasAttributes UsernameAttributes SmsVerificationMessage EmailVerificationMessage EmailVerificationSubject VerificationMessageTemplate SmsAuthenticationMessage MfaConfiguration UserAttributeUpdateSettings DeviceConfiguration AdminCreateUserConfig UsernameConfiguration AccountRecoverySetting UserPoolTier IssuerConfiguration
UpdateUserPoolRequest: Policies DeletionProtection LambdaConfig AutoVerifiedAttributes SmsVerificationMessage EmailVerificationMessage EmailVerificationSubject VerificationMessageTemplate SmsAuthenticationMessage MfaConfiguration UserAttributeUpdateSettings DeviceConfiguration AdminCreateUserConfig AccountRecoverySetting UserPoolTier IssuerConfiguration
CreateUserPoolClientRequest: RefreshTokenValidity AccessTokenValidity IdTokenValidity TokenValidityUnits ReadAttributes WriteAttributes ExplicitAuthFlows SupportedIdentityProviders CallbackURLs LogoutURLs DefaultRedirectURI AllowedOAuthFlows AllowedOAuthScopes AllowedOAuthFlowsUserPoolClient PreventUserExistenceErrors EnableTokenRevocation AuthSessionValidity RefreshTokenRotation
UpdateUserPoolClientRequest: RefreshTokenValidity AccessTokenValidity IdTokenValidity TokenValidityUnits ReadAttributes WriteAttributes ExplicitAuthFlows SupportedIdentityProviders CallbackURLs LogoutURLs DefaultRedirectURI AllowedOAuthFlows AllowedOAuthScopes AllowedOAuthFlowsUserPoolClient PreventUserExistenceErrors EnableTokenRevocation AuthSessionValidity RefreshTokenRotation
SetUserPoolMfaConfigRequest: SmsMfaConfiguration SoftwareTokenMfaConfiguration EmailMfaConfiguration WebAuthnConfiguration
SetUserMFAPreferenceRequest: SMSMfaSettings SoftwareTokenMfaSettings EmailMfaSettings WebAuthnMfaSettings
AdminSetUserMFAPreferenceRequest: SMSMfaSettings SoftwareTokenMfaSettings EmailMfaSettings WebAuthnMfaSettings
SchemaAttributeType: Name AttributeDataType DeveloperOnlyAttribute Mutable Required NumberAttributeConstraints StringAttributeConstraints
NumberAttributeConstraintsType: MinValue MaxValue
StringAttributeConstraintsType: MinLength MaxLength
AttributeType: Name Value
ProviderUserIdentifierType: ProviderName ProviderAttributeName ProviderAttributeValue
SMSMfaSettingsType: Enabled PreferredMfa
SoftwareTokenMfaSettingsType: Enabled PreferredMfa
EmailMfaSettingsType: Enabled PreferredMfa
WebAuthnMfaSettingsType: Enabled
DeviceSecretVerifierConfigType: PasswordVerifier Salt
ResourceServerScopeType: ScopeName ScopeDescription
UserPoolPolicyType: PasswordPolicy SignInPolicy
PasswordPolicyType: MinimumLength RequireUppercase RequireLowercase RequireNumbers RequireSymbols PasswordHistorySize TemporaryPasswordValidityDays
SignInPolicyType: AllowedFirstAuthFactors
LambdaConfigType: PreSignUp CustomMessage PostConfirmation PreAuthentication PostAuthentication DefineAuthChallenge CreateAuthChallenge VerifyAuthChallengeResponse PreTokenGeneration UserMigration PreTokenGenerationConfig InboundFederation
PreTokenGenerationVersionConfigType: LambdaVersion LambdaArn
InboundFederationLambdaType: LambdaVersion LambdaArn
VerificationMessageTemplateType: SmsMessage EmailMessage EmailSubject
UserAttributeUpdateSettingsType: AttributesRequireVerificationBeforeUpdate
DeviceConfigurationType: ChallengeRequiredOnNewDevice DeviceOnlyRememberedOnUserPrompt
AdminCreateUserConfigType: AllowAdminCreateUserOnly UnusedAccountValidityDays InviteMessageTemplate
MessageTemplateType: SMSMessage EmailMessage EmailSubject
UsernameConfigurationType: CaseSensitive
AccountRecoverySettingType: RecoveryMechanisms
RecoveryOptionType: Priority Name
IssuerConfigurationType: Type
TokenValidityUnitsType: AccessToken IdToken RefreshToken
RefreshTokenRotationType: Feature RetryGracePeriodSeconds
CustomDomainConfigType: CertificateArn
SmsMfaConfigType: SmsAuthenticationMessage SmsConfiguration
SoftwareTokenMfaConfigType: Enabled
EmailMfaConfigType: Message Subject
WebAuthnConfigurationType: RelyingPartyId UserVerification FactorConfiguration
UserPoolTokenSessionConfigType: MaxPerUser
AssetType: Category ColorMode Extension Bytes
""".strip().splitlines()
}
"""Members of structures, and of what is kept whole, that change what happens: the others are in the page's tables."""


def rows(text: str) -> dict[str, str]:
    return {name: why for names, why in ROW.findall(text) for name in names.split(", ")}


def members(operations) -> Iterator[tuple[str, str, bool]]:  # noqa: F811 - the fixture
    """Each member that is met on a walk: its structure, its name, and whether the operation's function names it."""
    told, seen = rows(TABLES), set()

    def walk(shape: Any, named: set[str]) -> Iterator[tuple[str, str, bool]]:
        if shape.type == "list":
            yield from walk(shape.member.shape, set())
        elif shape.type == "map":
            yield from walk(shape.value.shape, set())
        elif shape.type == "structure" and shape.name not in seen:
            seen.add(shape.name)
            for name, member in shape.members.items():
                yield shape.name, name, name in named
                if name not in told:
                    yield from walk(member.shape, set())

    for name, operation in operations.items():
        function = dispatch.find("cognito-idp", name)
        if function is not None and operation.input:
            yield from walk(operation.input, set(inspect.signature(function).parameters) - {"_"})


def test_no_parameter_is_ignored_in_silence(operations):  # noqa: F811 - the fixture
    met = list(members(operations))
    told = rows(TABLES)
    silent = [
        (shape, name)
        for shape, name, is_named in met
        if not is_named and name not in told and name not in READ.get(shape, ())
    ]
    assert silent == []
    names = {name for _, name, _ in met}
    assert set(told) <= names  # the page tells of nothing that is not there
    assert {(shape, name) for shape, known in READ.items() for name in known} <= {
        (shape, name) for shape, name, _ in met
    }


# -- refused ---------------------------------------------------------------------------------------------------------

ARN = "arn:aws:lambda:us-east-1:123456789012:function:x"
FUNCTION = {"LambdaVersion": "V1_0", "LambdaArn": ARN}
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
PROVIDER = {"ProviderName": "corp", "ProviderType": "OIDC", "ProviderDetails": {"client_id": "x"}}
JOB = {"JobName": "x", "CloudWatchLogsRoleArn": "arn:aws:iam::111122223333:role/x"}
FAILOVER = {"SecondaryRegion": "eu-west-1", "PrimaryRoute53HealthCheckId": "x"}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "CustomSMSSender": ("update_user_pool", {"LambdaConfig": {"CustomSMSSender": FUNCTION}}),
    "CustomEmailSender": ("update_user_pool", {"LambdaConfig": {"CustomEmailSender": FUNCTION}}),
    "KMSKeyID": ("update_user_pool", {"LambdaConfig": {"KMSKeyID": KEY}}),
    "DcrConfiguration": ("update_user_pool", {"DcrConfiguration": {"EnableStatus": "Enabled"}}),
    "KeyConfiguration": ("update_user_pool", {"KeyConfiguration": {"KmsKeyArn": KEY}}),
    "AcrConfiguration": ("update_user_pool", {"AcrConfiguration": {"Level1": {"AcrValue": "urn:x:1"}}}),
    "AcrMapping": ("create_identity_provider", {**PROVIDER, "AcrMapping": {"Level1": "urn:x:1"}}),
    "AnalyticsConfiguration": (
        "create_user_pool_client",
        {"ClientName": "x", "AnalyticsConfiguration": {"ApplicationId": "a" * 32}},
    ),
    "PublishSecretsInAWSSecretsManager": (
        "create_user_pool_client",
        {"ClientName": "x", "PublishSecretsInAWSSecretsManager": True},
    ),
    "PasswordHashingAlgorithm": ("create_user_import_job", {**JOB, "PasswordHashingAlgorithm": "BCRYPT"}),
    "Routing": (
        "create_user_pool_domain",
        {"Domain": "x", "Routing": {"Failover": FAILOVER}},
    ),
}


@pytest.mark.parametrize("name", rows(REFUSED))
def test_a_parameter_is_refused_with_its_reason(app, refusal, name):
    app.admin.create_user_pool_domain(UserPoolId=app.pool, Domain="shop-of-parameters")
    call, given = CALLS[name]
    code, message = refusal(getattr(app.admin, call), UserPoolId=app.pool, **given)
    assert code == "NotImplemented"
    assert "sts-emulator does not have" in message


# -- kept and told ---------------------------------------------------------------------------------------------------

EMAIL = {"EmailSendingAccount": "DEVELOPER", "SourceArn": "arn:aws:ses:us-east-1:123456789012:identity/x"}
ADDRESS = {"From": "a@example.org", "ReplyToEmailAddress": "b@example.org", "ConfigurationSet": "x"}
SMS = {"SnsCallerArn": "arn:aws:iam::123456789012:role/x", "ExternalId": "x", "SnsRegion": "eu-west-1"}
TEMPLATE = {
    "DefaultEmailOption": "CONFIRM_WITH_LINK",
    "EmailMessageByLink": "{##Click Here##}",
    "EmailSubjectByLink": "Click",
}
ADD_ONS = {"AdvancedSecurityMode": "AUDIT", "AdvancedSecurityAdditionalFlows": {"CustomAuthMode": "ENFORCED"}}
COMPROMISED = {"EventFilter": ["SIGN_IN"], "Actions": {"EventAction": "BLOCK"}}
TAKEOVER = {
    "Actions": {"HighAction": {"Notify": True, "EventAction": "MFA_REQUIRED"}},
    "NotifyConfiguration": {
        "SourceArn": EMAIL["SourceArn"],
        "MfaEmail": {"Subject": "x", "TextBody": "Hello!", "HtmlBody": "Hello!"},
    },
}
EXCEPTIONS = {"BlockedIPRangeList": ["192.0.2.0/24"], "SkippedIPRangeList": ["198.51.100.0/24"]}
LOGS = [
    {
        "LogLevel": "INFO",
        "EventSource": "userAuthEvents",
        "FirehoseConfiguration": {"StreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/x"},
    }
]
ASSETS = [{"Category": "PAGE_HEADER_LOGO", "ColorMode": "LIGHT", "Extension": "SVG", "ResourceId": "x"}]
DOMAIN = {"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/x", "SecurityPolicy": "TLS_V1_3_2025"}


def pool_setting(name: str, value: Any, *inside: str):
    def kept(app) -> tuple[Any, Any]:
        app.admin.update_user_pool(UserPoolId=app.pool, **{name: value})
        told = app.admin.describe_user_pool(UserPoolId=app.pool)["UserPool"][name]
        return (
            ({part: told[part] for part in inside}, {part: value[part] for part in inside}) if inside else (told, value)
        )

    return kept


def risk_setting(name: str, value: Any):
    def kept(app) -> tuple[Any, Any]:
        app.admin.update_user_pool(UserPoolId=app.pool, UserPoolAddOns=ADD_ONS)
        app.admin.set_risk_configuration(UserPoolId=app.pool, **{name: value})
        return app.admin.describe_risk_configuration(UserPoolId=app.pool)["RiskConfiguration"][name], value

    return kept


def logs(app) -> tuple[Any, Any]:
    app.admin.set_log_delivery_configuration(UserPoolId=app.pool, LogConfigurations=LOGS)
    told = app.admin.get_log_delivery_configuration(UserPoolId=app.pool)
    return told["LogDeliveryConfiguration"]["LogConfigurations"], LOGS


def security_policy(app) -> tuple[Any, Any]:
    name = "login.shop.example"
    app.admin.create_user_pool_domain(UserPoolId=app.pool, Domain=name, CustomDomainConfig=DOMAIN)
    return app.admin.describe_user_pool_domain(Domain=name)["DomainDescription"]["CustomDomainConfig"], DOMAIN


def style(app) -> tuple[Any, Any]:
    settings = {"components": {"primaryButton": {}}}
    given = {"UserPoolId": app.pool, "ClientId": app.client, "Settings": settings, "Assets": ASSETS}
    made = app.admin.create_managed_login_branding(**given)["ManagedLoginBranding"]
    identifier = {"UserPoolId": app.pool, "ManagedLoginBrandingId": made["ManagedLoginBrandingId"]}
    told = app.admin.describe_managed_login_branding(**identifier, ReturnMergedResources=True)["ManagedLoginBranding"]
    return (told["Settings"], told["Assets"]), (settings, ASSETS)


KEPT = {
    "EmailConfiguration": pool_setting("EmailConfiguration", {**EMAIL, **ADDRESS}),
    "SmsConfiguration": pool_setting("SmsConfiguration", SMS),
    "UserPoolAddOns": pool_setting("UserPoolAddOns", ADD_ONS),
    **{name: pool_setting("VerificationMessageTemplate", TEMPLATE, name) for name in TEMPLATE},
    "CompromisedCredentialsRiskConfiguration": risk_setting("CompromisedCredentialsRiskConfiguration", COMPROMISED),
    "AccountTakeoverRiskConfiguration": risk_setting("AccountTakeoverRiskConfiguration", TAKEOVER),
    "RiskExceptionConfiguration": risk_setting("RiskExceptionConfiguration", EXCEPTIONS),
    "LogConfigurations": logs,
    "SecurityPolicy": security_policy,
    "ResourceId": style,
}


@pytest.mark.parametrize("name", [name for name, why in rows(IDLE).items() if why.startswith("kept and told")])
def test_what_is_kept_is_told_again(app, name):
    told, given = KEPT[name](app)
    assert told == given


def test_the_others_of_the_table_change_nothing(app):
    seen = {"AnalyticsMetadata": {"AnalyticsEndpointId": "x"}, "UserContextData": {"EncodedData": "x"}}
    headers = [{"headerName": "User-Agent", "headerValue": "x"}]
    context = {"IpAddress": "192.0.2.1", "ServerName": "x", "ServerPath": "/", "HttpHeaders": headers}
    given = {"ClientId": app.client, "AuthParameters": {"USERNAME": "ada", "PASSWORD": "Correct-horse-1"}}
    plain = app.idp.initiate_auth(AuthFlow="USER_PASSWORD_AUTH", **given)
    by_app = app.idp.initiate_auth(AuthFlow="USER_PASSWORD_AUTH", **given, **seen)
    flow = {"UserPoolId": app.pool, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH"}
    by_server = app.admin.admin_initiate_auth(**flow, **given, ContextData=context)
    for answer in (by_app, by_server):
        assert set(answer["AuthenticationResult"]) == set(plain["AuthenticationResult"])
    client = app.add_client(EnablePropagateAdditionalUserContextData=True)
    assert client["EnablePropagateAdditionalUserContextData"] is True

"""GetClientToken: an app's token for itself, for its secret, without a signature."""

from __future__ import annotations

import pytest
from test_triggers import answering, refusing, same

API = "https://api.example.org"


@pytest.fixture
def machine(app):
    scopes = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write")]
    app.admin.create_resource_server(UserPoolId=app.pool, Identifier=API, Name="api", Scopes=scopes)
    return app.add_client(
        ExplicitAuthFlows=["ALLOW_CLIENT_TOKEN_AUTH"],
        GenerateSecret=True,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=[f"{API}/read", f"{API}/write"],
    )


def test_a_token_of_some_scopes_or_of_all(app, machine):
    given = {"ClientId": machine["ClientId"], "Secret": machine["ClientSecret"]}
    for more, scope in (({}, f"{API}/read {API}/write"), ({"Scopes": [f"{API}/read"]}, f"{API}/read")):
        result = app.idp.get_client_token(**given, **more)["ClientAuthenticationResult"]
        claims = app.claims(result["AccessToken"])
        assert (claims["sub"], claims["client_id"], claims["scope"]) == (machine["ClientId"],) * 2 + (scope,)
        assert (result["TokenType"], result["ExpiresIn"]) == ("Bearer", 3600)


def test_what_is_refused(app, machine, refusal):
    call, given = app.idp.get_client_token, {"ClientId": machine["ClientId"], "Secret": machine["ClientSecret"]}
    assert refusal(call, **{**given, "Secret": "x" * 30})[0] == "NotAuthorizedException"
    assert refusal(call, **given, Scopes=[f"{API}/admin"])[0] == "InvalidParameterException"
    assert refusal(call, **{**given, "ClientId": "nobody"})[0] == "ResourceNotFoundException"
    assert refusal(call, ClientId=app.client, Secret="x" * 30)[0] == "NotAuthorizedException"
    other = app.add_client(GenerateSecret=True)
    refused = refusal(call, ClientId=other["ClientId"], Secret=other["ClientSecret"])
    assert refused[0] == "NotAuthorizedException"


def test_it_is_the_only_flow_of_its_client(app, refusal):
    flows = ["ALLOW_CLIENT_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
    given = {"UserPoolId": app.pool, "ClientName": "x", "ExplicitAuthFlows": flows}
    assert refusal(app.admin.create_user_pool_client, **given)[0] == "InvalidParameterException"
    assert refusal(app.idp.get_user, AccessToken="x")[0] == "NotAuthorizedException"


def override(**access):
    return answering(claimsAndScopeOverrideDetails={"accessTokenGeneration": access})


def versioned(hooks, version: str) -> dict:
    return {"PreTokenGenerationConfig": {"LambdaVersion": version, "LambdaArn": hooks.arn("PreTokenGeneration")}}


def test_the_pools_function_has_a_say(app, machine, hooks, refusal):
    # given a function that is told of tokens of machines, too
    call = app.idp.get_client_token
    given = {"ClientId": machine["ClientId"], "Secret": machine["ClientSecret"], "ClientMetadata": {"tenant": "blue"}}
    claims = {"team": "blue", "sub": "eve", "client_id": "eve"}
    hooks.play(app, versioned(hooks, "V3_0"), PreTokenGeneration=override(claimsToAddOrOverride=claims))

    # when a machine asks for one
    claims = app.claims(call(**given)["ClientAuthenticationResult"]["AccessToken"])

    # then it is asked, with what the machine said, and cannot make it somebody else's
    (event,) = hooks.events
    assert (event["version"], event["triggerSource"]) == ("3", "TokenGeneration_ClientCredentials")
    assert event["callerContext"]["clientId"] == machine["ClientId"]
    assert event["request"]["scopes"] == [f"{API}/read", f"{API}/write"]
    assert event["request"]["clientMetadata"] == {"tenant": "blue"}
    assert event["request"]["userAttributes"] == {}
    assert (claims["team"], claims["sub"], claims["client_id"]) == ("blue", machine["ClientId"], machine["ClientId"])

    # and scopes are its to give and to take, and the token its to refuse
    hooks.functions["/PreTokenGeneration"] = override(scopesToAdd=["extra"], scopesToSuppress=[f"{API}/write"])
    assert app.claims(call(**given)["ClientAuthenticationResult"]["AccessToken"])["scope"] == f"{API}/read extra"
    hooks.functions["/PreTokenGeneration"] = refusing("no machines today")
    assert refusal(call, **given)[0] == "UserLambdaValidationException"


def test_earlier_versions_are_not_asked(app, machine, hooks):
    hooks.play(app, versioned(hooks, "V2_0"), PreTokenGeneration=same)
    assert app.idp.get_client_token(ClientId=machine["ClientId"], Secret=machine["ClientSecret"])
    assert hooks.events == []

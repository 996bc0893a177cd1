"""The enhanced flow as an app sees it: who gets credentials of which role, and what every attack is told.

Sentences are AWS's (docs/aws/cognito.md, "Identity pools").
"""

import base64
import json

import pytest
from cognito_stage import APP, COGNITO, USER_POOL

pytestmark = pytest.mark.scenario("identity_pools.yaml")

MISCONFIGURED = (
    400,
    "InvalidIdentityPoolConfigurationException",
    "Invalid identity pool configuration. Check assigned IAM roles for this pool.",
)


def unauthorized(message: str) -> tuple[int, str, str]:
    return 400, "NotAuthorizedException", message


class TestWhoGetsIn:
    def test_a_user_of_the_pool_that_it_names(self, phone):
        answer = phone.credentials(phone.logins())
        assert phone.caller(answer) == "arn:aws:sts::111122223333:assumed-role/user/CognitoIdentityCredentials"

    def test_a_guest(self, phone):
        assert ":assumed-role/guest/" in phone.caller(phone.credentials())

    def test_for_one_hour(self, phone):
        phone.iam.update_role(RoleName="user", MaxSessionDuration=43_200)
        answer = phone.credentials(phone.logins())
        issued = phone.aws.page("POST", "issuers/users/token")["claims"]["iat"]
        assert 3540 < answer["Credentials"]["Expiration"].timestamp() - issued <= 3601

    def test_the_same_person_has_the_same_identity_and_another_has_another(self, phone):
        ids = [phone.credentials(phone.logins(sub=name))["IdentityId"] for name in ("ana", "ben", "ana")]
        assert ids[0] == ids[2] != ids[1]

    def test_each_guest_is_somebody_else(self, phone):
        assert phone.credentials()["IdentityId"] != phone.credentials()["IdentityId"]

    def test_a_user_of_a_registered_issuer(self, stage):
        stage.create(OpenIdConnectProviderARNs=["arn:aws:iam::111122223333:oidc-provider/idp.example.com"])
        stage.assign(authenticated=stage.role("corp", "idp.example.com"))
        token = stage.aws.token("corp", aud="app-at-corp", sub="kim")
        assert ":assumed-role/corp/" in stage.caller(stage.credentials({"idp.example.com": token}))

    def test_a_user_of_google(self, stage):
        stage.create(SupportedLoginProviders={"accounts.google.com": "web-client;phone-client"})
        stage.assign(authenticated=stage.role("googler"))
        token = stage.aws.token("google", aud="phone-client", azp=None)
        assert ":assumed-role/googler/" in stage.caller(stage.credentials({"accounts.google.com": token}))

    def test_the_person_s_identity_reaches_the_policies_of_the_session(self, stage, refused):
        """The policy of the guide, `users/${…:sub}/*`, here with the paths of users in IAM."""
        stage.create()
        own = f"arn:aws:iam::111122223333:user/${{{COGNITO}:sub}}/*"
        statement = {"Effect": "Allow", "Action": "iam:CreateUser", "Resource": own}
        stage.assign(authenticated=stage.role("user", allow=[statement]))
        ana = stage.credentials(stage.logins())
        ben = stage.credentials(stage.logins(sub="ben"))
        path = f"/{ana['IdentityId']}/"
        assert stage.signed("iam", ana).create_user(UserName="a", Path=path)["User"]["Path"] == path
        assert refused(stage.signed("iam", ben).create_user, UserName="b", Path=path)[1] == "AccessDenied"


class TestTheRoleDecides:
    def test_a_role_that_trusts_another_pool(self, phone, refused):
        other = phone.role("elsewhere", pool="us-east-1:00000000-0000-0000-0000-000000000000")
        phone.assign(authenticated=other)
        assert refused(phone.credentials, logins=phone.logins()) == MISCONFIGURED

    def test_a_guest_in_the_users_role(self, phone, refused):
        phone.assign(unauthenticated="arn:aws:iam::111122223333:role/user")
        assert refused(phone.credentials) == MISCONFIGURED

    def test_a_role_for_one_provider(self, phone, refused):
        phone.assign(authenticated=phone.role("facebook-only", "graph.facebook.com"))
        assert refused(phone.credentials, logins=phone.logins()) == MISCONFIGURED
        phone.assign(authenticated=phone.role("pool-only", USER_POOL))
        assert ":assumed-role/pool-only/" in phone.caller(phone.credentials(phone.logins()))

    def test_a_role_for_one_identity(self, phone, refused):
        ana = phone.credentials(phone.logins())["IdentityId"]
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": COGNITO},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {f"{COGNITO}:aud": phone.pool, f"{COGNITO}:sub": ana}},
                }
            ],
        }
        phone.iam.update_assume_role_policy(RoleName="user", PolicyDocument=json.dumps(document))
        assert ":assumed-role/user/" in phone.caller(phone.credentials(phone.logins()))
        assert refused(phone.credentials, logins=phone.logins(sub="ben")) == MISCONFIGURED

    def test_no_role(self, stage, refused):
        stage.create()
        assert refused(stage.credentials) == MISCONFIGURED
        assert refused(stage.credentials, logins=stage.logins()) == MISCONFIGURED

    def test_a_role_that_is_gone(self, phone, refused):
        phone.iam.delete_role(RoleName="user")
        assert refused(phone.credentials, logins=phone.logins()) == MISCONFIGURED

    def test_and_its_event_tells_why(self, phone, refused):
        phone.assign(unauthenticated="arn:aws:iam::111122223333:role/user")
        refused(phone.credentials)
        data = phone.aws.events(outcome="denied")[-1]["additionalEventData"]
        assert data["evidence"]["identityPool"] == phone.pool
        assert data["decisions"][-1]["layer"] == "trust"


class TestForgedTokens:
    def check(self, phone, refused, token: str, provider: str = USER_POOL):
        return refused(phone.app.get_id, IdentityPoolId=phone.pool, Logins={provider: token})

    def test_one_that_was_changed(self, phone, refused):
        head, body, signature = phone.token().split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        changed = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "eve"}).encode()).rstrip(b"=").decode()
        told = self.check(phone, refused, f"{head}.{changed}.{signature}")
        assert told == unauthorized("Invalid login token. Couldn't verify signed token.")

    def test_one_without_a_signature(self, phone, refused):
        _, body, _ = phone.token().split(".")
        head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        told = self.check(phone, refused, f"{head}.{body}.")
        assert told == unauthorized("Invalid login token. Couldn't verify signed token.")

    def test_one_of_another_user_pool(self, phone, refused):
        told = self.check(phone, refused, phone.token("others"))
        assert told == unauthorized("Invalid login token. Issuer doesn't match providerName")

    def test_one_of_another_issuer_that_says_it_is_the_pool(self, phone, refused):
        token = phone.token("corp", iss=f"https://{USER_POOL}")
        assert self.check(phone, refused, token) == unauthorized("Invalid login token. Couldn't verify signed token.")

    def test_one_that_has_expired(self, phone, refused):
        token = phone.token(exp=1_000_000_000)
        status, code, message = self.check(phone, refused, token)
        assert (status, code) == (400, "NotAuthorizedException")
        assert message.startswith("Invalid login token. Token expired: ")
        assert message.endswith(" >= 1000000000")

    def test_one_for_another_app(self, phone, refused):
        told = self.check(phone, refused, phone.token(aud="otherapp"))
        assert told == unauthorized("Token is not from a supported provider of this identity pool.")

    def test_an_access_token(self, phone, refused):
        token = phone.token(aud=None, client_id=APP, token_use="access")
        assert self.check(phone, refused, token) == unauthorized("Invalid login token. Missing a required claim: aud")

    def test_an_access_token_with_an_audience(self, phone, refused):
        assert self.check(phone, refused, phone.token(token_use="access"))[1] == "NotAuthorizedException"

    def test_a_provider_that_the_pool_does_not_have(self, phone, refused):
        told = self.check(phone, refused, phone.token("corp"), "idp.example.com")
        assert told == unauthorized("Token is not from a supported provider of this identity pool.")

    @pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.", "." * 40_000, "é"])
    def test_what_is_no_token(self, phone, refused, token):
        status, code, message = self.check(phone, refused, token)
        assert (status, code) == (400, "NotAuthorizedException")
        assert message.startswith("Invalid login token.")

    def test_the_token_of_a_facebook_app(self, stage, refused):
        stage.create(SupportedLoginProviders={"graph.facebook.com": "12345"})
        told = self.check(stage, refused, "EAAB", "graph.facebook.com")
        assert told == unauthorized("Token is not from a supported provider of this identity pool.")


class TestGuests:
    def test_where_they_are_switched_off(self, phone, refused):
        guest = phone.credentials()["IdentityId"]
        phone.owner.update_identity_pool(
            IdentityPoolId=phone.pool, IdentityPoolName="phone", AllowUnauthenticatedIdentities=False
        )
        told = unauthorized("Unauthenticated access is not supported for this identity pool.")
        assert refused(phone.credentials) == told
        assert refused(phone.app.get_credentials_for_identity, IdentityId=guest) == told

    def test_in_the_identity_of_somebody_who_signed_in(self, phone, refused):
        ana = phone.credentials(phone.logins())["IdentityId"]
        told = refused(phone.app.get_credentials_for_identity, IdentityId=ana)
        assert told == unauthorized(f"Access to Identity '{ana}' is forbidden.")

    def test_may_do_what_both_the_role_and_one_of_aws_s_session_policies_allow(self, stage):
        stage.create()
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        stage.assign(unauthenticated=stage.role("guest", "unauthenticated", allow=[everything]))
        guest = stage.signed("cognito-identity", stage.credentials())
        assert guest.list_identity_pools(MaxResults=1)["IdentityPools"]

    def test_may_not_do_what_aws_keeps_from_guests_whatever_the_role_says(self, stage, refused):
        stage.create()
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        stage.assign(unauthenticated=stage.role("guest", "unauthenticated", allow=[everything]))
        guest = stage.signed("iam", stage.credentials())
        status, code, message = refused(guest.list_users)
        assert (status, code) == (403, "AccessDenied")
        assert "because no session policy allows the iam:ListUsers action" in message

    def test_a_user_has_no_such_limit(self, stage):
        stage.create()
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        stage.assign(authenticated=stage.role("user", allow=[everything]))
        assert stage.signed("iam", stage.credentials(stage.logins())).list_users()["Users"]


class TestWhatIsNotThere:
    def test_a_pool(self, stage, refused):
        pool = "us-east-1:00000000-0000-0000-0000-000000000000"
        told = refused(stage.app.get_id, IdentityPoolId=pool)
        assert told == (400, "ResourceNotFoundException", f"IdentityPool '{pool}' not found.")

    def test_an_identity(self, phone, refused):
        told = refused(phone.app.get_credentials_for_identity, IdentityId="us-east-1:0")
        assert told == (400, "ResourceNotFoundException", "Identity 'us-east-1:0' not found.")

    def test_a_pool_in_another_account(self, phone, refused):
        told = refused(phone.app.get_id, IdentityPoolId=phone.pool, AccountId="999988887777")
        assert told[1] == "ResourceNotFoundException"


def test_no_token_stands_in_an_event(phone):
    logins = phone.logins()
    phone.credentials(logins)
    text = json.dumps(phone.aws.events())
    assert logins[USER_POOL] not in text
    assert "HIDDEN_DUE_TO_SECURITY_REASONS" in text

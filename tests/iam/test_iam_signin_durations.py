"""The longest sign-in session of a role and of a user, by boto3."""

from __future__ import annotations

import pytest
from botocore.config import Config
from iam_stories import EC2, EMPTY, refusal

pytestmark = pytest.mark.scenario(EMPTY)

PASSWORD = "Correct-Horse-7"


@pytest.fixture
def iam(aws):
    """IAM by a boto3 that sends what it would refuse itself."""
    return aws.client("iam", config=Config(parameter_validation=False))


class TestRole:
    def test_set_changed_and_cleared(self, iam):
        made = iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2, MaxSigninSessionDuration=7200)["Role"]
        assert "MaxSigninSessionDuration" not in made  # as MaxSessionDuration, which is not echoed either
        assert iam.get_role(RoleName="app")["Role"]["MaxSigninSessionDuration"] == 7200
        assert iam.list_roles()["Roles"][0]["MaxSigninSessionDuration"] == 7200
        iam.update_role(RoleName="app", MaxSigninSessionDuration=7_776_000)
        iam.update_role(RoleName="app", Description="mine")
        assert iam.get_role(RoleName="app")["Role"]["MaxSigninSessionDuration"] == 7_776_000
        for _ in range(2):  # clearing what is not set has no effect
            iam.update_role(RoleName="app", ResetMaxSigninSessionDuration=True)
            assert "MaxSigninSessionDuration" not in iam.get_role(RoleName="app")["Role"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"MaxSigninSessionDuration": 3_599},
            {"MaxSigninSessionDuration": 7_776_001},
            {"MaxSigninSessionDuration": 7_200, "ResetMaxSigninSessionDuration": True},
        ],
    )
    def test_what_cannot_be(self, iam, wrong):
        iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
        assert refusal(iam.update_role, RoleName="app", **wrong)[:2] == (400, "ValidationError")
        assert "MaxSigninSessionDuration" not in iam.get_role(RoleName="app")["Role"]

    @pytest.mark.parametrize("wrong", [{"MaxSigninSessionDuration": 7_200}, {"ResetMaxSigninSessionDuration": True}])
    def test_a_service_s_role_has_none(self, iam, wrong):
        name = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]["RoleName"]
        assert refusal(iam.update_role, RoleName=name, **wrong)[:2] == (400, "UnmodifiableEntity")


def test_a_user_s_is_set_with_the_password(iam):
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=PASSWORD, MaxSigninSessionDuration=3600)
    assert iam.get_login_profile(UserName="ann")["LoginProfile"]["MaxSigninSessionDuration"] == 3600
    both = {"MaxSigninSessionDuration": 7_200, "ResetMaxSigninSessionDuration": True}
    assert refusal(iam.update_login_profile, UserName="ann", **both)[:2] == (400, "ValidationError")
    iam.update_login_profile(UserName="ann", ResetMaxSigninSessionDuration=True)
    assert "MaxSigninSessionDuration" not in iam.get_login_profile(UserName="ann")["LoginProfile"]

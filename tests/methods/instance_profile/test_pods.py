"""EKS Pod Identity: associations, the agent's endpoint and AssumeRoleForPodIdentity.

Source: docs/aws/containers-and-pods.md, "Pod Identity".
"""

from __future__ import annotations

import json

import pytest
from workload_lab import ACCOUNT, as_keys, request

pytestmark = pytest.mark.scenario("workloads.yaml")
CLUSTER = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/shop"


@pytest.fixture
def agent(lab):
    def ask(token=None, **headers):
        given = headers if token is None else {"Authorization": token, **headers}
        return request("GET", f"{lab.aws.endpoint_url}/pod-identity/v1/credentials", given)

    return ask


@pytest.fixture
def token(lab):
    """Mints a projected token of a pod of the cluster."""
    issuer = lab.aws.client("eks").describe_cluster(name="shop")["cluster"]["identity"]["oidc"]["issuer"]
    names = {entry["url"]: entry["name"] for entry in lab.aws.page("GET", "issuers")["issuers"]}

    def mint(namespace="shop", service_account="checkout", **claims):
        given = {"pod": "checkout-7d9f", "aud": ["pods.eks.amazonaws.com"], **claims}
        return lab.aws.token(names[issuer], namespace=namespace, service_account=service_account, **given)

    return mint


# -- unmodified clients ----------------------------------------------------------------------------------------------


def test_boto3_and_the_cli_are_the_pods_role(lab, tmp_path):
    pod = lab.workload("eks", "shop/checkout")
    (tmp_path / "token").write_text(pod["files"]["eks-pod-identity-token"])
    variables = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{lab.aws.endpoint_url}/pod-identity/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    caller = lab.boto3_caller(**variables)
    assert caller.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/pod-role/eks-shop-checkout-0-")
    assert lab.cli("sts", "get-caller-identity", **variables)["Arn"] == caller


def test_an_agent_of_aws_calls_eks_auth(lab, token):
    answer = lab.aws.client("eks-auth").assume_role_for_pod_identity(clusterName="shop", token=token())
    assert answer["subject"] == {"namespace": "shop", "serviceAccount": "checkout"}
    assert answer["audience"] == "pods.eks.amazonaws.com"
    given = answer["credentials"]
    keys = {
        "AccessKeyId": given["accessKeyId"],
        "SecretAccessKey": given["secretAccessKey"],
        "SessionToken": given["sessionToken"],
    }
    who = lab.aws.client("sts", keys).get_caller_identity()
    assert who["Arn"] == answer["assumedRoleUser"]["arn"]
    assert who["UserId"] == answer["assumedRoleUser"]["assumeRoleId"]


# -- the agent -------------------------------------------------------------------------------------------------------


def test_the_six_session_tags_are_set_and_transitive(lab, agent, token):
    document = agent(token()).json()
    assert set(document) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"}
    (event,) = lab.events("AssumeRoleForPodIdentity")
    asked = [decision for decision in lab.aws.decisions(event) if decision["action"] == "sts:TagSession"]
    assert len(asked) == 1
    reader = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Action": "iam:GetRole",
                "Resource": "*",
                "Condition": {
                    "StringEquals": {
                        "aws:PrincipalTag/eks-cluster-arn": CLUSTER,
                        "aws:PrincipalTag/eks-cluster-name": "shop",
                        "aws:PrincipalTag/kubernetes-namespace": "shop",
                        "aws:PrincipalTag/kubernetes-service-account": "checkout",
                        "aws:PrincipalTag/kubernetes-pod-name": "checkout-7d9f",
                    },
                    "Null": {"aws:PrincipalTag/kubernetes-pod-uid": "false"},
                },
            },
        }
    )
    lab.aws.client("iam").put_role_policy(RoleName="pod-role", PolicyName="read", PolicyDocument=reader)
    assert lab.aws.client("iam", as_keys(document)).get_role(RoleName="pod-role")


def test_one_pod_keeps_its_credentials_and_another_has_its_own(agent, token):
    first = agent(token()).json()
    assert agent(token()).json() == first
    assert agent(token(pod="checkout-other")).json()["AccessKeyId"] != first["AccessKeyId"]


def test_the_address_must_be_the_agents(agent, token):
    assert agent(token(), Host="169.254.170.23").status == 200
    assert agent(token(), Host="[fd00:ec2::23]").status == 200
    answer = agent(token(), Host="metadata.attacker.example")
    assert answer.status == 403
    assert answer.text.startswith("Access Denied. Called agent through invalid address, please use either ")


@pytest.mark.parametrize("given", [None, ""])
def test_a_token_is_needed(agent, given):
    answer = agent(given)
    assert (answer.status, answer.text.strip()) == (400, "Service account token cannot be empty")


@pytest.mark.parametrize("text", ["nonsense", "a.b.c", "x" * 30_000])
def test_what_is_no_token_cannot_be_parsed(agent, text):
    answer = agent(text)
    assert answer.status == 400
    assert "cannot be parsed" in answer.text


def test_an_expired_token_is_refused(lab, agent, token):
    held = token()
    lab.aws.advance(days=1, seconds=1)
    answer = agent(held)
    assert (answer.status, "(ExpiredTokenException)" in answer.text) == (400, True)


def test_a_token_for_another_audience_or_of_nobody_is_refused(agent, token):
    assert "audience" in agent(token(aud=["sts.amazonaws.com"])).text
    assert agent(token(sub="system:serviceaccount:shop:admin")).status == 400
    assert agent(token(**{"kubernetes.io": None})).status == 400


def test_a_token_of_another_issuer_or_with_a_foreign_signature_is_refused(lab, agent, token):
    foreign = lab.aws.token("kubernetes", namespace="shop", service_account="checkout", aud=["pods.eks.amazonaws.com"])
    assert "InvalidTokenException" in agent(foreign).text
    head, body, _ = token().split(".")
    assert "InvalidTokenException" in agent(f"{head}.{body}.{foreign.split('.')[2]}").text


def test_another_clusters_token_is_not_taken_for_this_ones(lab, token):
    eks_auth = lab.aws.client("eks-auth")
    with pytest.raises(eks_auth.exceptions.InvalidTokenException):
        eks_auth.assume_role_for_pod_identity(clusterName="other", token=token())


def test_a_service_account_without_an_association_gets_nothing(agent, token):
    answer = agent(token(service_account="nobody"))
    assert (answer.status, "(ResourceNotFoundException)" in answer.text) == (404, True)


def test_the_trust_policy_decides_by_the_tags_of_the_request(lab, agent, token):
    answer = agent(token(namespace="guest"))
    assert (answer.status, "(AccessDenied" in answer.text) == (400, True)
    assert "kubernetes-namespace" in lab.aws.explain(lab.aws.events(outcome="denied")[-1])


# -- target roles ----------------------------------------------------------------------------------------------------


def test_a_target_role_of_another_account_is_reached_in_two_steps(lab, agent, token):
    answer = agent(token(service_account="report"))
    assert answer.status == 200, answer.text
    who = lab.aws.client("sts", as_keys(answer.json())).get_caller_identity()
    assert who["Arn"].startswith("arn:aws:sts::444455556666:assumed-role/target/eks-shop-")
    assert answer.json()["AccountId"] == "444455556666"
    (event,) = lab.events("AssumeRoleForPodIdentity")
    resources = [decision["resource"] for decision in lab.aws.decisions(event)]
    assert resources == [f"arn:aws:iam::{ACCOUNT}:role/untagged-pod-role", "arn:aws:iam::444455556666:role/target"]


def test_a_target_role_wants_the_associations_external_id(lab, agent, token):
    trust = lab.aws.client("iam", lab.aws.credentials(account="444455556666")).get_role(RoleName="target")
    document = trust["Role"]["AssumeRolePolicyDocument"]
    document["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "somebody else's"
    iam = lab.aws.client("iam", lab.aws.credentials(account="444455556666"))
    iam.update_assume_role_policy(RoleName="target", PolicyDocument=json.dumps(document))
    assert "AccessDenied" in agent(token(service_account="report")).text


# -- the control plane -----------------------------------------------------------------------------------------------


def test_associations_are_made_listed_changed_and_deleted(lab, agent, token):
    eks = lab.aws.client("eks")
    role = f"arn:aws:iam::{ACCOUNT}:role/pod-role"
    made = eks.create_pod_identity_association(
        clusterName="shop", namespace="shop", serviceAccount="cart", roleArn=role, tags={"team": "shop"}
    )["association"]
    assert made["associationId"].startswith("a-")
    assert agent(token(service_account="cart")).status == 200
    listed = eks.list_pod_identity_associations(clusterName="shop", namespace="shop")["associations"]
    assert {entry["serviceAccount"] for entry in listed} == {"checkout", "report", "cart"}
    changed = eks.update_pod_identity_association(
        clusterName="shop",
        associationId=made["associationId"],
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/untagged-pod-role",
        disableSessionTags=True,
    )["association"]
    assert changed["disableSessionTags"] is True
    assert agent(token(service_account="cart")).status == 200
    eks.delete_pod_identity_association(clusterName="shop", associationId=made["associationId"])
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_pod_identity_association(clusterName="shop", associationId=made["associationId"])
    assert agent(token(service_account="cart")).status == 404


def test_what_an_association_cannot_have_is_refused(lab):
    eks = lab.aws.client("eks")
    asked = {"clusterName": "shop", "namespace": "shop", "serviceAccount": "new"}
    role = f"arn:aws:iam::{ACCOUNT}:role/pod-role"
    with pytest.raises(eks.exceptions.InvalidParameterException):
        eks.create_pod_identity_association(**asked, roleArn=f"arn:aws:iam::{ACCOUNT}:role/none")
    with pytest.raises(eks.exceptions.InvalidParameterException):
        eks.create_pod_identity_association(**asked, roleArn=role, policy='{"Version":"2012-10-17","Statement":[]}')
    (existing,) = eks.list_pod_identity_associations(clusterName="shop", namespace="shop", serviceAccount="checkout")[
        "associations"
    ]
    # the id, not the names (aws/eks-hybrid PR 679)
    with pytest.raises(
        eks.exceptions.ResourceInUseException, match=f": Association already exists: {existing['associationId']}$"
    ):
        eks.create_pod_identity_association(**{**asked, "serviceAccount": "checkout"}, roleArn=role)
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.create_pod_identity_association(**{**asked, "clusterName": "none"}, roleArn=role)


@pytest.mark.parametrize("role", ["function-role", "untagged-pod-role"])
def test_a_role_that_pods_could_not_have_is_refused(lab, role):
    """aws/aws-cdk#31522 has AWS's sentence for another service's role; sts:TagSession is in the documented policy."""
    eks = lab.aws.client("eks")
    right = eks.create_pod_identity_association(
        clusterName="shop", namespace="shop", serviceAccount="new", roleArn=f"arn:aws:iam::{ACCOUNT}:role/pod-role"
    )["association"]["associationId"]
    sentence = "Trust policy of the role provided is invalid. Follow the official documentation to resolve the issue."
    wrong = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    with pytest.raises(eks.exceptions.InvalidParameterException, match=sentence):
        eks.create_pod_identity_association(clusterName="shop", namespace="shop", serviceAccount="other", roleArn=wrong)
    with pytest.raises(eks.exceptions.InvalidParameterException, match=sentence):
        eks.update_pod_identity_association(clusterName="shop", associationId=right, roleArn=wrong)


def test_clusters_have_an_issuer_whose_documents_are_served(lab):
    eks = lab.aws.client("eks")
    made = eks.create_cluster(
        name="new", roleArn=f"arn:aws:iam::{ACCOUNT}:role/pod-role", resourcesVpcConfig={"subnetIds": []}
    )["cluster"]
    issuer = made["identity"]["oidc"]["issuer"]
    assert issuer.startswith("https://oidc.eks.us-east-1.amazonaws.com/id/")
    assert made["status"] == "ACTIVE"
    assert "new" in eks.list_clusters()["clusters"]
    eks.delete_cluster(name="new")
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_cluster(name="new")

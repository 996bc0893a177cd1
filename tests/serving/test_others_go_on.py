"""While one request is long, others are answered: docs/limits.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import urllib3
from botocore.exceptions import ClientError

from sts_emulator import Aws
from sts_emulator.scenario.model import LONGEST_CACHED

ACCOUNT = "111122223333"
FEW = 3  # if all wait, one is answered before the long request, and one with it
LOOKS = 5  # in which of one request it may be seen that others were answered: this process may be held up itself


@pytest.fixture
def others(aws: Aws) -> Iterator[Callable[[Callable[[], object]], tuple[object, int]]]:
    """What a slow request comes to, and how many others were answered meanwhile; it can be made again."""
    url = urlsplit(aws.endpoint_url)
    with (
        urllib3.HTTPConnectionPool(url.hostname, url.port, maxsize=1) as pool,
        ThreadPoolExecutor(1) as thread,
    ):

        def count(slow: Callable[[], object]) -> tuple[object, int]:
            pool.request("GET", "/health")
            for _ in range(LOOKS):
                running, answered = thread.submit(slow), 0
                while not running.done():
                    assert pool.request("GET", "/health").status == 200
                    answered += 1
                if answered > FEW:
                    break
            return running.result(), answered

        yield count


def posted(aws: Aws, text: str) -> int:
    """The status of the answer to a scenario."""
    url = urlsplit(aws.endpoint_url)
    path = f"http://{url.netloc}/_emulator/api/worlds/{aws.world}/scenario"
    headers = {"content-type": "text/yaml"}
    return urllib3.request("POST", path, body=text.encode(), headers=headers, timeout=600, retries=False).status


def policies(number: int, statements: int) -> list[str]:
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Condition": {"StringLike": {"aws:a": "*b*"}}}
    return [json.dumps({"Version": "2012-10-17", "Statement": [statement] * statements})] * number


def test_a_long_simulation_comes_in_pages_while_others_go_on(aws: Aws, others):
    """One request kept the server for 25 seconds, another for 38 minutes."""
    iam = aws.client("iam")
    actions = [f"s3:GetThing{number}" for number in range(30)]
    asked = {"PolicyInputList": policies(20, 200), "ActionNames": actions}

    first, answered = others(lambda: iam.simulate_custom_policy(**asked))

    assert answered > FEW
    assert first["IsTruncated"]
    names = [result["EvalActionName"] for result in first["EvaluationResults"]]
    assert names == actions[: len(names)]
    assert 1 <= len(names) <= 50_000 // 4_000
    following = iam.simulate_custom_policy(**asked, Marker=first["Marker"], MaxItems=1)
    assert following["EvaluationResults"][0]["EvalActionName"] == actions[len(names)]


def test_a_simulation_that_is_too_much_for_one_page_is_refused(aws: Aws):
    with pytest.raises(ClientError, match=r"InvalidInput.*may read 50000 statements") as refused:
        aws.client("iam").simulate_custom_policy(
            PolicyInputList=policies(20, 200),
            ActionNames=["s3:GetObject"],
            ResourceArns=[f"arn:aws:s3:::bucket/{number}" for number in range(100)],
        )
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    "text",
    ["- b\n" * 100_000, "".join(f"key{number}: 1\n" for number in range(10_000))],
    ids=["many values", "many unknown keys"],
)
def test_a_long_scenario_is_read_while_others_go_on(aws: Aws, others, text):
    status, answered = others(lambda: posted(aws, text))
    assert status == 422
    assert answered > FEW


def test_a_mistake_in_what_is_freed_bit_by_bit_is_told_with_its_line(aws: Aws):
    """What a scenario was read into is let go while others go on; what it declares keeps its places."""
    role = "{managed: [arn:aws:iam::aws:policy/ReadOnlyAccess], trust: [{Effect: Allow, Principal: '*', Action: '*'}]}"
    lines = ["accounts:", f'  "{ACCOUNT}":', "    roles:", *(f"      r{number}: {role}" for number in range(900))]
    text = "\n".join([*lines, f"      wrong: {role.replace('ReadOnly', 'No')}"])
    assert len(text) > LONGEST_CACHED
    url = urlsplit(aws.endpoint_url)
    path = f"http://{url.netloc}/_emulator/api/worlds/{aws.world}/scenario"
    answer = urllib3.request("POST", path, body=text, headers={"content-type": "text/yaml"}, timeout=600)
    assert answer.status == 422
    assert f"scenario:{len(lines) + 1}:" in answer.json()["detail"]


def test_a_long_credential_report_is_made_while_others_go_on(aws: Aws, others):
    users = "".join(f"      user-{number}: {{}}\n" for number in range(600))
    assert posted(aws, f'accounts:\n  "{ACCOUNT}":\n    users:\n{users}') == 200
    iam = aws.client("iam", aws.credentials(account=ACCOUNT))

    def made_anew() -> dict:
        aws.advance(hours=5)  # a report is good for four
        return iam.generate_credential_report()

    made, answered = others(made_anew)

    assert made["State"] == "STARTED"
    assert answered > FEW
    assert iam.get_credential_report()["Content"].count(b"user-") >= 600


def test_a_long_list_of_events_is_told_while_others_go_on(aws: Aws, others):
    """1,000 events of a megabyte each were an answer of 2 GB, for which everybody waited 15 seconds."""
    url, number = urlsplit(aws.endpoint_url), 300
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "Policy": "x" * 20_000}
    with urllib3.HTTPConnectionPool(url.hostname, url.port, maxsize=1) as pool:
        for _ in range(number):
            pool.request_encode_body("POST", f"{url.path}/", form, encode_multipart=False)
    path = f"http://{url.netloc}/_emulator/api/worlds/{aws.world}/events?limit=1000"

    listed, answered = others(lambda: urllib3.request("GET", path).json())

    assert len(listed) == number
    assert answered > FEW


def everybody(number: int) -> str:
    """A scenario of as many roles."""
    trust = [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]
    return json.dumps({"accounts": {ACCOUNT: {"roles": {f"r{role}": {"trust": trust} for role in range(number)}}}})


def test_a_large_scenario_is_applied_while_others_go_on(aws: Aws, others):
    """All of it becomes true at once: whoever asks meanwhile sees none of it."""
    iam = aws.client("iam")
    before = len(iam.list_roles()["Roles"])

    status, answered = others(lambda: posted(aws, everybody(400)))

    assert status == 200
    assert answered > FEW
    assert len(list(iam.get_paginator("list_roles").paginate().search("Roles[]"))) == before + 400


def test_what_others_write_while_a_large_scenario_is_applied_stays(aws: Aws):
    iam = aws.client("iam")
    with ThreadPoolExecutor(1) as thread:
        applied, made = thread.submit(posted, aws, everybody(400)), 0
        while not made or not applied.done():
            iam.create_user(UserName=f"u{made}")
            made += 1
        assert applied.result() == 200
    names = set(iam.get_paginator("list_users").paginate().search("Users[].UserName"))
    assert {f"u{number}" for number in range(made)} <= names
    assert iam.get_role(RoleName="r399")["Role"]["AssumeRolePolicyDocument"]


def test_a_large_scenario_with_a_mistake_changes_nothing(aws: Aws):
    text = json.loads(everybody(100))
    text["accounts"][ACCOUNT]["roles"]["r99"]["managed"] = ["arn:aws:iam::aws:policy/None"]
    before = aws.client("iam").list_roles()["Roles"]
    assert posted(aws, json.dumps(text)) == 422
    assert aws.client("iam").list_roles()["Roles"] == before

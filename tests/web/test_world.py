"""Time with its consequences, faults, the mailbox, and worlds: as forms, without a script."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from console_lab import DEVELOPER, console, keys_of, visit

POOL = """
accounts:
  "111122223333":
    user_pools:
      shop:
        clients: {web: {}}
"""


def post(aws, path: str, **fields: str):
    return visit(console(aws, path), urlencode(fields).encode())


def test_a_moved_clock_ends_what_it_said(aws):
    sts = aws.client("sts", keys_of(aws, "alice"))
    session = sts.assume_role(RoleArn=DEVELOPER, RoleSessionName="alice")["Credentials"]
    page = visit(console(aws, "world?amount=2&unit=hours"))
    assert page.texts("//table[@id='ends']//tr[@class='differs']")[0].startswith(session["AccessKeyId"])
    aws.client("sts", session).get_caller_identity()

    assert post(aws, "world/clock", amount="2", unit="hours").status == 302
    with pytest.raises(ClientError, match="ExpiredToken"):
        aws.client("sts", session).get_caller_identity()
    assert visit(console(aws, "world")).texts("//table[@id='ends']/tbody/tr")[0].endswith("over")


@pytest.mark.parametrize("amount", ["", "x", "1e9", "99999999999", "٣"])
def test_amounts_that_are_none(aws, amount):
    assert post(aws, "world/clock", amount=amount, unit="days").status == 400
    assert visit(console(aws, "world?" + urlencode({"amount": amount, "unit": "days"}))).status == 400


def test_a_fault_is_thrown_and_taken_away(aws):
    sts = aws.client("sts", config=Config(retries={"max_attempts": 0}))
    assert post(aws, "world/faults", service="sts", operation="Get*", code="Throttling", status="400").status == 302
    with pytest.raises(ClientError, match="Throttling"):
        sts.get_caller_identity()
    page = visit(console(aws, "world"))
    assert page.texts("//form[contains(@class,'fault')]/code") == [
        "service: sts, operation: Get*, code: Throttling, status: 400"
    ]
    assert post(aws, "world/faults/remove", number="0").status == 302
    sts.get_caller_identity()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"service": "sts"}, "nothing goes wrong"),
        ({"service": "stt", "code": "Throttling"}, "no service or endpoint is called `stt`"),
        ({"service": "sts", "status": "7"}, "status"),
        ({"service": "sts", "code": "x", "shape": "round"}, "shape"),
    ],
)
def test_faults_that_make_no_sense(aws, fields, told):
    page = post(aws, "world/faults", **fields)
    assert page.status == 400
    assert told in page.texts("//*[@id='wrong']")[0]


def test_news_may_be_slow(aws):
    assert post(aws, "world/consistency", seconds="5").status == 302
    assert visit(console(aws, "world")).tree.xpath("//input[@name='seconds']/@value") == ["5.0"]
    assert post(aws, "world/consistency", seconds="-1").status == 400


@pytest.mark.scenario(POOL)
def test_codes_are_read_in_the_mailbox(aws):
    assert "No message" in visit(console(aws, "mailbox")).text
    idp = aws.client("cognito-idp")
    pool = idp.list_user_pools(MaxResults=1)["UserPools"][0]["Id"]
    client = idp.list_user_pool_clients(UserPoolId=pool)["UserPoolClients"][0]["ClientId"]
    idp.update_user_pool(UserPoolId=pool, AutoVerifiedAttributes=["email"])
    idp.sign_up(
        ClientId=client,
        Username="jane",
        Password="Correct-horse-1",
        UserAttributes=[{"Name": "email", "Value": "jane@example.com"}],
    )
    (message,) = visit(console(aws, "mailbox?to=jane@example.com")).texts("//article")
    assert "jane@example.com" in message
    assert visit(console(aws, "mailbox?to=nobody")).texts("//article") == []


def test_worlds_are_made_shared_and_deleted(aws, emulator_server):
    name = f"{aws.world}-more"
    server = emulator_server.url
    made = post(aws, "worlds", name=name, scenario='accounts: {"999988887777": {name: lab}}')
    assert (made.status, made.headers["location"]) == (302, f"/w/{name}/_emulator/")
    assert f"{server}/w/{name}" in visit(console(aws, "worlds")).text
    assert visit(f"{server}/w/{name}/_emulator/").status == 200
    assert post(aws, "worlds", name=name).status == 400
    assert post(aws, "worlds/delete", name=name).status == 302
    assert visit(f"{server}/w/{name}/_emulator/").status == 404
    assert post(aws, "worlds/delete", name="default").status == 409


def test_a_mistake_in_a_scenario_makes_no_world(aws, emulator_server):
    name = f"{aws.world}-half"
    page = post(aws, "worlds", name=name, scenario="acounts: {}")
    assert page.status == 400
    assert "did you mean `accounts`" in page.texts("//*[@id='wrong']")[0]
    assert page.tree.xpath("string(//textarea)") == "acounts: {}"
    assert visit(f"{emulator_server.url}/w/{name}/_emulator/").status == 404
    assert post(aws, "worlds", name="No Such Name").status == 400

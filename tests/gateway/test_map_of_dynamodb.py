"""DynamoDB: item by item, with leading keys and attributes; statements are read strictly."""

from __future__ import annotations

from typing import Any

import pytest

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import partiql
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.map import required

TABLE = "arn:aws:dynamodb:eu-central-1:111122223333:table/"


def needs(operation: str, partition_key: str = "", **parameters: Any) -> tuple[Need, ...]:
    call = Call("dynamodb", operation, parameters, "/", "111122223333", "eu-central-1", "aws")
    return required(call, lambda _arn: partition_key)


def pairs(answer: tuple[Need, ...]) -> list[tuple[str, str]]:
    return [(need.action, need.resource.removeprefix(TABLE)) for need in answer]


def test_the_leading_key_is_the_partition_key_where_its_name_is_known():
    key = {"user": {"S": "ann"}, "score": {"N": "7"}}
    assert needs("GetItem", "user", TableName="games", Key=key)[0].keys["dynamodb:leadingkeys"] == ("ann",)


def test_where_the_name_is_not_known_every_value_of_the_key_counts():
    key = {"user": {"S": "ann"}, "score": {"N": "7"}}
    assert needs("GetItem", TableName="games", Key=key)[0].keys["dynamodb:leadingkeys"] == ("ann", "7")


def test_a_query_tells_its_leading_key_however_it_is_written():
    expression = {
        "KeyConditionExpression": "#u = :u AND begins_with(score, :s)",
        "ExpressionAttributeNames": {"#u": "user"},
        "ExpressionAttributeValues": {":u": {"S": "ann"}, ":s": {"S": "7"}},
    }
    turned = {**expression, "KeyConditionExpression": ":u = #u"}
    old = {"KeyConditions": {"user": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "ann"}]}}}
    for asked in (expression, turned, old):
        answer = needs("Query", "user", TableName="games", **asked)
        assert answer[0].keys["dynamodb:leadingkeys"] == ("ann",)
        assert "user" in answer[0].keys["dynamodb:attributes"]


def test_an_index_is_a_resource_of_its_own():
    assert pairs(needs("Query", TableName="games", IndexName="by-score")) == [
        ("dynamodb:Query", "games/index/by-score")
    ]


def test_attributes_are_those_of_every_expression():
    answer = needs(
        "UpdateItem",
        "user",
        TableName="games",
        Key={"user": {"S": "ann"}},
        UpdateExpression="SET #a.b = if_not_exists(c, :zero), d[0] = :one",
        ConditionExpression="attribute_exists(e) AND NOT size(f) > :zero",
        ExpressionAttributeNames={"#a": "a"},
    )
    assert set(answer[0].keys["dynamodb:attributes"]) == {"user", "a", "c", "d", "e", "f"}


def test_batches_and_transactions_ask_table_by_table():
    batch = {"games": {"Keys": [{"user": {"S": "ann"}}, {"user": {"S": "bob"}}]}, "users": {"Keys": []}}
    answer = needs("BatchGetItem", "user", RequestItems=batch)
    assert pairs(answer) == [("dynamodb:BatchGetItem", "games"), ("dynamodb:BatchGetItem", "users")]
    assert answer[0].keys["dynamodb:leadingkeys"] == ("ann", "bob")
    items = [{"Put": {"TableName": "a", "Item": {"k": {"S": "1"}}}}, {"ConditionCheck": {"TableName": "b", "Key": {}}}]
    written = needs("TransactWriteItems", "k", TransactItems=items)
    assert pairs(written) == [("dynamodb:PutItem", "a"), ("dynamodb:ConditionCheckItem", "b")]
    assert written[0].keys["dynamodb:enclosingoperation"] == ("TransactWriteItems",)


def test_a_write_of_a_batch_that_is_two_is_held_to_both():
    two = {"DeleteRequest": {"Key": {"user": {"S": "bob"}}}, "PutRequest": {"Item": {"user": {"S": "ann"}}}}
    asked = needs("BatchWriteItem", RequestItems={"games": [two]})
    assert [need.keys["dynamodb:leadingkeys"] for need in asked] == [("bob",), ("ann",)]


def test_nobody_passes_by_naming_nothing():
    assert pairs(needs("BatchWriteItem", RequestItems={})) == [("dynamodb:BatchWriteItem", "*")]


@pytest.mark.parametrize(
    ("statement", "action", "table"),
    [
        ('SELECT * FROM "games" WHERE user = ?', "PartiQLSelect", "games"),
        ("select * from games", "PartiQLSelect", "games"),
        ('SELECT a FROM "games"."by-score"', "PartiQLSelect", "games/index/by-score"),
        ("INSERT INTO games VALUE {'user': 'x FROM y'}", "PartiQLInsert", "games"),
        ('UPDATE "games" SET a = 1', "PartiQLUpdate", "games"),
        ("DELETE FROM games WHERE user = 'ann'", "PartiQLDelete", "games"),
    ],
)
def test_a_plain_statement_tells_its_table(statement, action, table):
    assert pairs(needs("ExecuteStatement", Statement=statement)) == [(f"dynamodb:{action}", table)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM games, users",
        "SELECT * FROM games -- x",
        "SELECT * FROM /* games */ users",
        "SELECT a FROM games WHERE b IN (SELECT c FROM users)",
        'SELECT "FROM games" FROM FROM users',
        "SELECT * FROM games JOIN users",
        "SELECT * FROM games.users.more",
        "SELECT * FROM games.users",
        'SELECT * FROM "games".users',
        "SELECT 'x FROM users WHERE y' FROM games",
        'SELECT "SELECT users WHERE y" FROM games',
        "SELECT a, SELECT users FROM games",
        "SELECT a WHERE users FROM games",
        "DELETE FROM games; UPDATE users SET a = 1",
    ],
)
def test_a_statement_that_is_not_plain_is_about_any_table(statement):
    assert pairs(needs("ExecuteStatement", Statement=statement))[0][1] == "*"


@pytest.mark.parametrize(
    ("statement", "leading", "scans"),
    [
        ("SELECT * FROM games WHERE user = 'ann'", ("ann",), "false"),
        ("SELECT * FROM games WHERE 'ann' = \"user\" AND score > 3", ("ann",), "false"),
        ("SELECT * FROM games WHERE user IN ['ann', 'it''s', ?] AND score = -7", ("ann", "it's", "eve"), "false"),
        ("SELECT * FROM games WHERE user = ?", ("eve",), "false"),
        ("SELECT * FROM games WHERE user = 'ann' OR score = 7", ("ann",), "true"),
        ("SELECT * FROM games WHERE NOT user = 'ann'", ("ann",), "true"),
        ("SELECT * FROM games WHERE begins_with(user, 'a')", None, "true"),
        ("SELECT * FROM games WHERE score = 7", None, "true"),
        ("SELECT * FROM games", None, "true"),
        ("INSERT INTO games VALUE {'user': 'ann', \"score\": 7, 'x': {'y': 'z'}}", ("ann",), None),
        ("UPDATE games SET score = 7 WHERE user = 'ann' AND score = ?", ("ann",), None),
        ("DELETE FROM games WHERE user = 'ann'", ("ann",), None),
    ],
)
def test_a_statement_tells_its_leading_keys_and_whether_it_scans(statement, leading, scans):
    (need,) = needs("ExecuteStatement", "user", Statement=statement, Parameters=[{"S": "eve"}])
    assert need.keys.get("dynamodb:leadingkeys") == leading
    assert need.keys.get("dynamodb:fulltablescan") == (scans and (scans,))


def test_each_statement_of_several_has_its_own_parameters():
    statements = [{"Statement": "SELECT * FROM games WHERE user = ?", "Parameters": [{"S": who}]} for who in ("a", "b")]
    for operation, member in (("BatchExecuteStatement", "Statements"), ("ExecuteTransaction", "TransactStatements")):
        asked = needs(operation, "user", **{member: statements})
        assert [need.keys["dynamodb:leadingkeys"] for need in asked] == [("a",), ("b",)]
        assert {need.keys["dynamodb:enclosingoperation"] for need in asked} == {(operation,)}


def test_where_the_partition_key_is_not_known_every_value_of_a_statement_counts():
    (need,) = needs("ExecuteStatement", Statement="SELECT * FROM games WHERE user = 'ann' AND score = 7")
    assert (need.keys["dynamodb:leadingkeys"], need.keys["dynamodb:fulltablescan"]) == (("ann", "7"), ("true",))


@pytest.mark.parametrize(
    ("statement", "attributes", "select"),
    [
        ("SELECT * FROM games WHERE user = 'ann'", ("user",), "ALL_ATTRIBUTES"),
        ('SELECT score, a.b[0].c, "my-own" FROM games', ("score", "a", "my-own"), "SPECIFIC_ATTRIBUTES"),
        ("SELECT score FROM games WHERE size(tags) > 2 ORDER BY score DESC", ("score", "tags"), "SPECIFIC_ATTRIBUTES"),
        ("UPDATE games SET a = 'b' REMOVE c WHERE user = 'ann' RETURNING ALL OLD *", ("a", "c", "user"), None),
        ("INSERT INTO games VALUE {'user': 'ann', 'score': 'score'}", ("user", "score"), None),
    ],
)
def test_a_statement_tells_its_attributes(statement, attributes, select):
    (need,) = needs("ExecuteStatement", "user", Statement=statement)
    assert need.keys["dynamodb:attributes"] == attributes
    assert need.keys.get("dynamodb:select") == (select and (select,))


@pytest.mark.parametrize(
    "statement", ["'", '"', "SELECT", "a = ", "SELECT * FROM t WHERE", "WHERE = =", "- 1 = -", "x IN ["]
)
def test_half_a_statement_is_read_all_the_same(statement):
    assert (
        needs("ExecuteStatement", "user", Statement=statement)[0].resource
        == f"{TABLE}{'t' if ' t ' in statement else '*'}"
    )


def test_what_is_no_statement_may_be_any_action_on_any_table():
    assert len(pairs(needs("ExecuteStatement", Statement="; ?"))) == 4


def test_a_long_expression_is_refused_before_it_is_read():
    with pytest.raises(AwsError, match="Invalid FilterExpression: Expression size has exceeded"):
        needs("Scan", TableName="orders", FilterExpression="a" * 4_097)


def test_a_name_may_be_as_long_as_an_expression():
    asked = {"KeyConditionExpression": "a" * 4_093 + "=:v", "ExpressionAttributeValues": {":v": {"S": "1"}}}
    assert needs("Query", TableName="orders", **asked)[0].keys["dynamodb:leadingkeys"] == ("1",)


def test_a_long_statement_is_about_any_table():
    assert partiql.read(f"SELECT * FROM orders WHERE a = '{'x' * 8_192}'").table == "*"

"""What was used is recorded by principal, and the least policy is made of it: decided again before it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from door_lab import MINE, ONCE, client, refused, statement

from sts_emulator.cli.main import main

PEOPLE = """
accounts:
  "111122223333":
    users:
      ann: {}
    roles:
      worker:
        trust: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/ann"}, Action: [sts:AssumeRole, sts:TagSession]}]
        inline:
          broad:
            - {Sid: Photos, Effect: Allow, Action: ["s3:*Object", "s3:ListBucket"], Resource: ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*", "arn:aws:s3:::films/*"]}
            - {Sid: Queues, Effect: Allow, Action: "sqs:*", Resource: "*"}
            - {Sid: Never, Effect: Deny, Action: s3:DeleteObject, Resource: "arn:aws:s3:::photos/keep/*"}
"""


@pytest.fixture
def recorded(moto, another_door, tmp_path):
    """A door that records, with its file."""
    file = tmp_path / "used.jsonl"
    with another_door(moto, "--record", str(file)) as door, door.world(PEOPLE) as lab:
        yield lab, file


def worker(lab, **tags: str):
    """S3 as a session of the role."""
    wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
    session = client(lab, "sts", "ann").assume_role(
        RoleArn=f"arn:aws:iam::{MINE}:role/worker", RoleSessionName="job", Tags=wanted
    )["Credentials"]
    return lab.client("s3", session, config=ONCE)


def proposed(file: Path, capsys, *arguments: str) -> dict:
    assert main(["least-privilege", str(file), "worker", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_least_policy_has_what_was_used_and_nothing_else(recorded, capsys):
    lab, file = recorded
    client(lab, "s3").create_bucket(Bucket="photos")
    s3 = worker(lab)
    s3.put_object(Bucket="photos", Key="a/1.jpg", Body=b"1")
    s3.get_object(Bucket="photos", Key="a/1.jpg")
    s3.get_object(Bucket="photos", Key="a/1.jpg")
    s3.list_objects_v2(Bucket="photos", Prefix="a/")
    refused(s3.delete_object, Bucket="photos", Key="keep/1.jpg")
    told = proposed(file, capsys)
    assert told["principal"] == f"arn:aws:iam::{MINE}:role/worker"
    assert told["policy"]["Statement"] == [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::photos/a/1.jpg"]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::photos"]},
        {"Sid": "Never", "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::photos/keep/*"},
    ]
    assert told["uses"] == 3
    assert told["unused"] == [
        {"policy": 0, "statement": "Statement[0] Photos", "whole": False, "actions": [], "resources": ["arn:aws:s3:::films/*"]},
        {"policy": 0, "statement": "Statement[1] Queues", "whole": True, "actions": [], "resources": []},
    ]  # fmt: skip


def test_many_objects_of_a_folder_are_the_folder_and_that_is_said(recorded, capsys):
    lab, file = recorded
    client(lab, "s3").create_bucket(Bucket="photos")
    s3 = worker(lab)
    for number in range(12):
        s3.put_object(Bucket="photos", Key=f"b/{number}", Body=b"")
    told = proposed(file, capsys)
    assert told["policy"]["Statement"][0]["Resource"] == ["arn:aws:s3:::photos/b/*"]
    assert told["folders"] == ["arn:aws:s3:::photos/b/*"]


def test_what_a_bucket_grants_by_itself_is_left_out(recorded, capsys):
    lab, file = recorded
    root = client(lab, "s3")
    root.create_bucket(Bucket="shared")
    root.create_bucket(Bucket="photos")
    role = f"arn:aws:sts::{MINE}:assumed-role/worker/job"
    root.put_bucket_policy(Bucket="shared", Policy=statement("Allow", "s3:PutObject", "arn:aws:s3:::shared/*", role))
    s3 = worker(lab)
    s3.put_object(Bucket="shared", Key="x", Body=b"")
    s3.put_object(Bucket="photos", Key="x", Body=b"")
    told = proposed(file, capsys)
    assert told["spared"] == 1
    assert told["policy"]["Statement"][0]["Resource"] == ["arn:aws:s3:::photos/x"]


def test_calls_that_are_answered_here_are_recorded_too(recorded, capsys):
    lab, file = recorded
    worker(lab)
    assert main(["least-privilege", str(file), "ann", "--format", "policy"]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert policy["Statement"] == []  # the role's trust policy names her, so that she needs nothing
    uses = [json.loads(line) for line in file.read_text().splitlines()]
    assert [use["action"] for use in uses if "action" in use] == ["sts:AssumeRole"]


def test_the_text_says_what_is_attached_and_was_not_used(recorded, capsys):
    lab, file = recorded
    client(lab, "s3").create_bucket(Bucket="photos")
    worker(lab).put_object(Bucket="photos", Key="x", Body=b"")
    assert main(["least-privilege", str(file), f"arn:aws:iam::{MINE}:role/worker"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"the least policy for arn:aws:iam::{MINE}:role/worker, by 1 use that were recorded:\n")
    assert "attached, and not used:\n" in shown
    assert "  policy 0, Statement[1] Queues: all of it\n" in shown


def test_nobody_of_that_name_and_no_recording_are_told_apart(tmp_path, capsys):
    file = tmp_path / "used.jsonl"
    file.write_text("")
    assert main(["least-privilege", str(file), "worker"]) == 1
    assert "has nothing of `worker`; there is nobody" in capsys.readouterr().err
    for line in ("{}", "[1]", '{"policies": {}}', "no JSON", '"x"'):
        file.write_text(f"{line}\n")
        assert main(["least-privilege", str(file), "worker"]) == 2
        assert f"{file}:1: no line of a recording" in capsys.readouterr().err
    assert main(["least-privilege", str(tmp_path / "missing"), "worker"]) == 2


def test_a_file_that_cannot_be_written_stops_the_start(tmp_path, capsys):
    assert main(["serve", "--port", "0", "--record", str(tmp_path / "no" / "file")]) == 2
    assert "--record" in capsys.readouterr().err

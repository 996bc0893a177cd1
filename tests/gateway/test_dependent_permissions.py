"""`--dependent-permissions`: the key behind an object is asked for, too."""

from __future__ import annotations

from door_lab import client, refused

PEOPLE = """
accounts:
  "111122223333":
    users:
      ann: {inline: {photos: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}
      kim:
        inline:
          photos: [{Effect: Allow, Action: "s3:*", Resource: "*"}]
          keys: [{Effect: Allow, Action: "kms:GenerateDataKey", Resource: "*", Condition: {StringEquals: {kms:ViaService: s3.us-east-1.amazonaws.com}}}]
"""


def test_an_object_under_a_key_needs_the_key(moto, another_door):
    with another_door(moto, "--dependent-permissions") as door, door.world(PEOPLE) as lab:
        client(lab, "s3").create_bucket(Bucket="sealed")
        key = client(lab, "kms").create_key()["KeyMetadata"]["Arn"]
        sealed = {"Bucket": "sealed", "Key": "x", "Body": b"x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        message = refused(client(lab, "s3", "ann").put_object, **sealed)["Error"]["Message"]
        assert "kms:GenerateDataKey" in message
        client(lab, "s3", "kim").put_object(**sealed)
        client(lab, "s3", "ann").put_object(Bucket="sealed", Key="y", Body=b"y")

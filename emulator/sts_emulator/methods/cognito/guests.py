"""What AWS lets a guest of an identity pool do at most, whatever the role says: two session policies.

They come with the enhanced flow only. Source: docs/aws/cognito.md, "Identity pools in 2026".
"""

from __future__ import annotations

import json
from typing import Final

MANAGED: Final = "arn:aws:iam::aws:policy/AmazonCognitoUnAuthedIdentitiesSessionPolicy"

_SERVICES = (
    *("cloudwatch", "logs", "dynamodb", "kinesis", "mobileanalytics", "s3", "ses", "sns", "sqs", "lambda"),
    *("machinelearning", "execute-api", "iot", "gamelift", "cognito-identity", "cognito-idp", "lex", "polly"),
    *("comprehend", "translate", "transcribe", "rekognition", "mobiletargeting", "firehose", "appsync", "personalize"),
)
_ACTIONS = (
    *("sagemaker:InvokeEndpoint", "cognito-sync:*", "codewhisperer:*"),
    *("textract:DetectDocumentText", "textract:AnalyzeDocument", "sdb:*"),
)

INLINE: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": [*(f"{service}:*" for service in _SERVICES), *_ACTIONS], "Resource": "*"}
        ],
    },
    separators=(",", ":"),
)

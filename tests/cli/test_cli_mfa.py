"""`sts-emulator mfa code`: what a phone would show, for scripts that are asked for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

PROGRAM = Path(sys.executable).with_name("sts-emulator")


def mfa_code(aws, serial: str) -> subprocess.CompletedProcess:
    port = str(urlsplit(aws.endpoint_url).port)
    command = [PROGRAM, "mfa", "code", serial, "--port", port, "--world", aws.world]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_code_opens_a_session_and_the_next_one_is_another(aws):
    iam = aws.client("iam")
    iam.create_user(UserName="dana")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    aws.advance(seconds=30 - aws.now() % 30)  # a code begins: both are of it and the next one, however slow this is
    first = mfa_code(aws, made["SerialNumber"]).stdout.strip()
    aws.advance(seconds=30)
    second = mfa_code(aws, made["SerialNumber"]).stdout.strip()
    iam.enable_mfa_device(
        UserName="dana", SerialNumber=made["SerialNumber"], AuthenticationCode1=first, AuthenticationCode2=second
    )
    key = iam.create_access_key(UserName="dana")["AccessKey"]
    dana = aws.client("sts", key)

    for _ in range(2):  # a used code is never shown again
        code = mfa_code(aws, made["SerialNumber"]).stdout.strip()
        assert dana.get_session_token(SerialNumber=made["SerialNumber"], TokenCode=code)["Credentials"]


def test_a_device_that_does_not_exist_is_named(aws):
    done = mfa_code(aws, "arn:aws:iam::111122223333:mfa/nobody")
    assert done.returncode == 1
    assert done.stderr == "sts-emulator: no virtual MFA device `arn:aws:iam::111122223333:mfa/nobody`\n"
    assert not done.stdout

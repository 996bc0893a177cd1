"""User import jobs: a file put where the job says, as curl puts it, and each of its rows a user, skipped, or refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cognito-idp.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
WRITE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:*:*:log-group:/aws/cognito/*"}],
}
UNVERIFIED = (
    "The User Record does not set any of the auto verified attributes to true. (Example: email_verified to true)."
)
ENCRYPTED = {"x-amz-server-side-encryption": "aws:kms"}


@pytest.fixture
def role(aws) -> str:
    """The role that a job writes its log with."""
    iam = aws.client("iam")
    made = iam.create_role(RoleName="import", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="import", PolicyName="logs", PolicyDocument=json.dumps(WRITE))
    return made


@pytest.fixture
def shop(new_app):
    schema = [{"Name": "plan", "AttributeDataType": "String", "Mutable": True}]
    return new_app(AutoVerifiedAttributes=["email", "phone_number"], Schema=schema, AliasAttributes=["email"])


def create(app, role: str, name: str = "friends") -> dict:
    made = app.admin.create_user_import_job(JobName=name, UserPoolId=app.pool, CloudWatchLogsRoleArn=role)
    return made["UserImportJob"]


def csv(app, *rows: dict[str, str]) -> str:
    header = app.admin.get_csv_header(UserPoolId=app.pool)["CSVHeader"]
    lines = [",".join(row.get(column, "").replace(",", "\\,") for column in header) for row in rows]
    return "\n".join([",".join(header), *lines])


def row(username: str, **more: str) -> dict[str, str]:
    named = {"cognito:username": username, "cognito:mfa_enabled": "FALSE"}
    return {**named, "email": f"{username}@example.org", "email_verified": "TRUE", **more}


def put(url: str, text: str | bytes, headers: dict[str, str] = ENCRYPTED) -> tuple[int, str]:
    body = text if isinstance(text, bytes) else text.encode()
    request = urllib.request.Request(url, data=body, headers=headers, method="PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def start(app, job: dict) -> dict:
    return app.admin.start_user_import_job(UserPoolId=app.pool, JobId=job["JobId"])["UserImportJob"]


def described(app, job: dict) -> dict:
    return app.admin.describe_user_import_job(UserPoolId=app.pool, JobId=job["JobId"])["UserImportJob"]


def run(app, role: str, text: str | bytes) -> dict:
    job = create(app, role)
    assert put(job["PreSignedUrl"], text)[0] == 200
    assert start(app, job)["Status"] == "Pending"
    return described(app, job)


def counts(job: dict) -> tuple[int, int, int]:
    return job["ImportedUsers"], job["SkippedUsers"], job["FailedUsers"]


def outcomes(app) -> list[str]:
    event = next(event for event in reversed(app.aws.events()) if event["eventName"] == "StartUserImportJob")
    return event["additionalEventData"]["evidence"]["rows"]


def test_users_come_from_a_file_and_choose_a_password(shop, role, refusal):
    # given a job and its file
    job = create(shop, role)
    assert (job["Status"], counts(job)) == ("Created", (0, 0, 0))
    shop.add_user("known")
    plan = {"custom:plan": "gold, yearly", "birthdate": "02/01/1985", "updated_at": "1471453471"}
    rows = [row("jane", name=" Jane ", **plan), row("known"), row("omar", email_verified="FALSE")]
    assert put(job["PreSignedUrl"], csv(shop, *rows))[0] == 200

    # when it is started
    begun = start(shop, job)
    assert begun["Status"] == "Pending"
    assert "StartDate" in begun

    # then it tells what became of the rows
    done = described(shop, job)
    assert (done["Status"], counts(done)) == ("Succeeded", (1, 1, 1))
    assert done["CompletionMessage"] == "Import Job Completed Successfully."
    assert outcomes(shop) == [
        "[SUCCEEDED] Line Number 2 - The import succeeded.",
        "[SKIPPED] Line Number 3 - The user already exists.",
        f"[FAILED] Line Number 4 - {UNVERIFIED}",
    ]

    # and who was imported signs in once they have chosen a password
    jane = shop.admin.admin_get_user(UserPoolId=shop.pool, Username="jane")
    told = {pair["Name"]: pair["Value"] for pair in jane["UserAttributes"]}
    assert jane["UserStatus"] == "RESET_REQUIRED"
    assert (told["name"], told["custom:plan"], told["email_verified"]) == ("Jane", "gold, yearly", "true")
    assert refusal(shop.sign_in, user="jane", password="Correct-horse-1")[0] == "PasswordResetRequiredException"
    shop.idp.forgot_password(ClientId=shop.client, Username="jane@example.org")
    code = shop.aws.messages("jane@example.org")[-1]["text"].split()[-1]
    new = {"ConfirmationCode": code, "Password": "Another-horse-2"}
    shop.idp.confirm_forgot_password(ClientId=shop.client, Username="jane", **new)
    assert shop.tokens("jane", "Another-horse-2")


def test_the_header_is_that_of_awss_example_and_what_the_pool_added(shop):
    assert shop.admin.get_csv_header(UserPoolId=shop.pool) | {"ResponseMetadata": None} == {
        "ResponseMetadata": None,
        "UserPoolId": shop.pool,
        "CSVHeader": [
            *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile"),
            *("picture", "website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale"),
            *("phone_number", "phone_number_verified", "address", "updated_at", "custom:plan"),
            *("cognito:mfa_enabled", "cognito:username"),
        ],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"cognito:username": ""},
        {"cognito:username": "two words"},
        {"cognito:username": "nul\0"},
        {"cognito:username": "n" * 129},
        {"cognito:mfa_enabled": ""},
        {"cognito:mfa_enabled": "TRUE"},  # in a pool without MFA
        {"email": "", "email_verified": "TRUE"},
        {"email": "no address"},
        {"email_verified": "yes"},
        {"phone_number": "555"},
        {"birthdate": "1985-02-01"},
        {"updated_at": "yesterday"},
        {"name": "x" * 2_049},
        {"name": "x" * 16_000},
    ],
)
def test_a_row_that_does_not_fit(shop, role, wrong):
    done = run(shop, role, csv(shop, row("jane") | wrong, row("omar")))
    assert (done["Status"], counts(done)) == ("Succeeded", (1, 0, 1))


def test_a_row_with_other_columns(shop, role):
    done = run(shop, role, csv(shop, row("jane"), row("omar")) + ",more\n\n")
    assert counts(done) == (1, 0, 1)


def test_an_address_that_is_somebody_elses(shop, role):
    shop.add_user("ada", email="jane@example.org", email_verified="true")
    done = run(shop, role, csv(shop, row("jane"), row("omar")))
    assert counts(done) == (1, 0, 1)
    assert outcomes(shop)[0].endswith("An account with the given email already exists.")


def test_where_none_could_be_imported_the_job_has_failed(shop, role):
    done = run(shop, role, csv(shop, row("jane", email_verified="FALSE")))
    assert (done["Status"], counts(done)) == ("Failed", (0, 0, 1))
    assert done["CompletionMessage"] == "Too many users have failed or been skipped during the import."


@pytest.mark.parametrize("text", ["", "name,email\nx,y", "\ufeff{csv}", b"\xff\xfe", "{csv},more", "{doubled}"])
def test_a_file_that_cannot_be_read(shop, role, text):
    good = csv(shop)
    if isinstance(text, str):
        text = text.replace("{csv}", good).replace("{doubled}", good.replace("given_name", "name"))
    done = run(shop, role, text)
    assert (done["Status"], counts(done)) == ("Failed", (0, 0, 0))
    assert done["CompletionMessage"] == "The header in the CSV file does not match the expected headers."


def test_mfa_of_an_imported_user(shop, role):
    sms = {"SnsCallerArn": role, "ExternalId": "x"}
    shop.admin.set_user_pool_mfa_config(
        UserPoolId=shop.pool, MfaConfiguration="OPTIONAL", SmsMfaConfiguration={"SmsConfiguration": sms}
    )
    phone = {"phone_number": "+12345550100", "phone_number_verified": "TRUE", "cognito:mfa_enabled": "TRUE"}
    assert counts(run(shop, role, csv(shop, row("jane", **phone)))) == (1, 0, 0)
    told = shop.admin.admin_get_user(UserPoolId=shop.pool, Username="jane")
    assert told["UserMFASettingList"] == ["SMS_MFA"]


def test_who_was_imported_may_sign_in_by_a_code_at_once(shop, role, refusal):
    # given a pool in which one may sign in by a code
    policies = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}}
    shop.admin.update_user_pool(UserPoolId=shop.pool, AutoVerifiedAttributes=["email"], Policies=policies)
    client = shop.add_client(ExplicitAuthFlows=["ALLOW_USER_AUTH"], PreventUserExistenceErrors="ENABLED")["ClientId"]
    run(shop, role, csv(shop, row("jane")))

    # when somebody who was imported does
    named = {"USERNAME": "jane", "PREFERRED_CHALLENGE": "EMAIL_OTP"}
    begun = shop.idp.initiate_auth(AuthFlow="USER_AUTH", ClientId=client, AuthParameters=named)
    answer = {"USERNAME": "jane", "EMAIL_OTP_CODE": shop.aws.messages("jane@example.org")[-1]["text"].split()[-1]}
    done = shop.idp.respond_to_auth_challenge(
        ClientId=client, ChallengeName="EMAIL_OTP", Session=begun["Session"], ChallengeResponses=answer
    )

    # then they are in; and to a stranger who tries passwords they are like nobody
    assert shop.claims(done["AuthenticationResult"]["IdToken"])["cognito:username"] == "jane"
    hiding = shop.add_client(PreventUserExistenceErrors="ENABLED")["ClientId"]
    wrong = ("NotAuthorizedException", "Incorrect username or password.")
    assert refusal(shop.sign_in, user="jane", client=hiding) == wrong
    assert refusal(shop.sign_in, user="nobody", client=hiding) == wrong


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_puts_the_file_as_awss_guide_has_it(shop, role, tmp_path):
    job, file = create(shop, role), tmp_path / "users.csv"
    file.write_text(csv(shop, row("jane")))
    command = ["curl", "-sS", "-f", "-T", file, "-H", "x-amz-server-side-encryption:aws:kms", job["PreSignedUrl"]]
    subprocess.run(command, check=True)
    start(shop, job)
    assert counts(described(shop, job)) == (1, 0, 0)


# -- where the file goes ---------------------------------------------------------------------------------------------


def test_who_has_no_good_address_puts_nothing(shop, role, refusal):
    job = create(shop, role)
    url, text = job["PreSignedUrl"], csv(shop, row("jane"))
    assert put(url, text, {})[0] == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in put(url, text, {})[1]
    other = create(shop, role)
    for wrong in (
        url[:-4],
        url.partition("?")[0],
        url.replace(job["JobId"], other["JobId"]),
        url.replace(shop.pool, "us-east-1_Other"),
    ):
        assert put(wrong, text)[0] == 403
    shop.aws.advance(minutes=16)
    assert "Request has expired" in put(url, text)[1]
    assert refusal(start, app=shop, job=job)[0] == "PreconditionNotMetException"


def test_a_file_that_is_too_large(shop, role):
    assert put(create(shop, role)["PreSignedUrl"], b"x" * 1_100_000)[0] == 413


def test_a_job_runs_once(shop, role, refusal):
    job = create(shop, role)
    put(job["PreSignedUrl"], csv(shop, row("jane")))
    start(shop, job)
    assert refusal(start, app=shop, job=job)[0] == "PreconditionNotMetException"
    assert put(job["PreSignedUrl"], "x")[0] == 403
    stop = {"UserPoolId": shop.pool, "JobId": job["JobId"]}
    assert refusal(shop.admin.stop_user_import_job, **stop)[0] == "PreconditionNotMetException"


def test_a_job_that_nobody_starts_expires(shop, role, refusal):
    job = create(shop, role)
    put(job["PreSignedUrl"], csv(shop, row("jane")))
    shop.aws.advance(hours=49)
    over = described(shop, job)
    assert (over["Status"], over["CompletionMessage"]) == ("Expired", "The user import job has expired.")
    assert refusal(start, app=shop, job=job)[0] == "PreconditionNotMetException"


def test_a_running_job_is_stopped(shop, role, refusal):
    # given a job with so many rows that it takes seconds
    job = create(shop, role)
    put(job["PreSignedUrl"], csv(shop, *(row(f"user{number}") for number in range(12_000))))
    stop = {"UserPoolId": shop.pool, "JobId": job["JobId"]}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(start, shop, job)
        idle = threading.Event()
        while described(shop, job)["Status"] == "Created":
            idle.wait(0.01)

        # when it is stopped, while no other may begin
        other = create(shop, role)
        put(other["PreSignedUrl"], csv(shop, row("late")))
        assert refusal(start, app=shop, job=other)[0] == "PreconditionNotMetException"
        told = shop.admin.stop_user_import_job(**stop)["UserImportJob"]
        running.result()

    # then it has stopped, and says what it had done
    assert (told["Status"], told["CompletionMessage"]) == ("Stopped", "The Import Job was stopped by the developer.")
    done = described(shop, job)
    assert done["Status"] == "Stopped"
    assert done["ImportedUsers"] < 12_000
    assert start(shop, other)["Status"] == "Pending"


# -- who may ---------------------------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_in_pages(shop, role, refusal):
    made = []
    for number in range(3):
        made.append(create(shop, role, f"job {number}")["JobId"])
        shop.aws.advance(minutes=1)
    first = shop.admin.list_user_import_jobs(UserPoolId=shop.pool, MaxResults=2)
    rest = shop.admin.list_user_import_jobs(
        UserPoolId=shop.pool, MaxResults=2, PaginationToken=first["PaginationToken"]
    )
    assert [job["JobId"] for job in first["UserImportJobs"] + rest["UserImportJobs"]] == made[::-1]
    absent = {"UserPoolId": shop.pool, "JobId": "import-nobody"}
    assert refusal(shop.admin.describe_user_import_job, **absent)[0] == "ResourceNotFoundException"


def test_a_pool_without_verified_attributes_imports_nobody(app, role, refusal):
    job = create(app, role)
    put(job["PreSignedUrl"], csv(app, row("jane")))
    assert refusal(start, app=app, job=job)[0] == "PreconditionNotMetException"


@pytest.mark.parametrize("lacks", ["the role", "its trust", "its permission"])
def test_a_role_that_cannot_write_the_log(shop, role, aws, lacks):
    iam = aws.client("iam")
    if lacks != "its trust":
        iam.delete_role_policy(RoleName="import", PolicyName="logs")
    if lacks == "the role":
        iam.delete_role(RoleName="import")
    if lacks == "its trust":
        trust = json.dumps(TRUST).replace("cognito-idp", "ec2")
        iam.update_assume_role_policy(RoleName="import", PolicyDocument=trust)
    done = run(shop, role, csv(shop, row("jane")))
    assert (done["Status"], counts(done)) == ("Failed", (0, 0, 0))
    assert "CloudWatch Logs role" in done["CompletionMessage"]


def test_who_may_not_pass_the_role_makes_no_job(shop, role, aws, refusal):
    policy = [{"Effect": "Allow", "Action": "cognito-idp:*", "Resource": "*"}]
    iam = aws.client("iam")
    iam.create_user(UserName="clerk")
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    iam.put_user_policy(UserName="clerk", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="clerk")["AccessKey"]
    clerk = aws.client("cognito-idp", key)
    given = {"JobName": "x", "UserPoolId": shop.pool, "CloudWatchLogsRoleArn": role}
    refused = refusal(clerk.create_user_import_job, **given)
    assert "iam:PassRole" in refused[1]


def test_hashes_of_passwords_are_refused_with_the_reason(shop, role, refusal):
    given = {"JobName": "x", "UserPoolId": shop.pool, "CloudWatchLogsRoleArn": role}
    refused = refusal(shop.admin.create_user_import_job, **given, PasswordHashingAlgorithm="BCRYPT")
    assert refused[0] == "NotImplemented"

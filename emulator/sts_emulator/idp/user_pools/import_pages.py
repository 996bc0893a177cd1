"""Page `user-pools/POOL/imports/JOB`: where the file of an import job is put, on AWS into a bucket of Cognito's.

Whoever has the address may: its signature is the proof, for a quarter of an hour.
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import import_jobs
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_ENCRYPTION: Final = "x-amz-server-side-encryption"


def as_bucket(visit: Visit, error: AwsError) -> Response:
    """A refusal as S3 tells it."""
    body = (
        f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        f"<RequestId>{escape(visit.request_id)}</RequestId></Error>"
    )
    return render.text(error.status or 400, "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{body}')


@page("PUT", "/user-pools/{pool}/imports/{job}", refusal=as_bucket, foreign=True)
def upload(visit: Visit, pool: str, job: str) -> Response:
    """The file; the header is among those that AWS signs into the address."""
    if visit.request.headers.get(_ENCRYPTION) != "aws:kms":
        raise AwsError(
            "SignatureDoesNotMatch", f"The address is signed for the header {_ENCRYPTION}: aws:kms.", status=403
        )
    import_jobs.put(visit.world, pool, job, visit.query.get("signature", ""), visit.request.body)
    return Response(200, [], b"")

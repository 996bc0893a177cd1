"""Uses what is behind the door with s3fs, which brings a botocore of its own, and with pyarrow, whose client is C++."""

from __future__ import annotations

import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import s3fs
from pyarrow import fs

told = {}
large = os.urandom(12 << 20)

files = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"])
with files.open("photos/ann/large", "wb", block_size=5 << 20) as file:
    file.write(large)
with files.open("photos/ann/large", "rb") as file:
    told["s3fs"] = file.read() == large
told["listed"] = sorted(files.ls("photos/ann"))
try:
    files.pipe("photos/bob/1", b"hello")
except PermissionError as error:
    told["refused"] = str(error)

arrow = fs.S3FileSystem(
    endpoint_override=sys.argv[1], scheme="http", region="us-east-1", force_virtual_addressing=False
)
pq.write_table(pa.table({"number": list(range(100_000))}), "photos/ann/numbers.parquet", filesystem=arrow)
told["rows"] = pq.read_table("photos/ann/numbers.parquet", filesystem=arrow).num_rows
with arrow.open_output_stream("photos/ann/arrow") as file:
    file.write(large)
with arrow.open_input_stream("photos/ann/arrow") as file:
    told["pyarrow"] = file.read() == large

print(json.dumps(told))

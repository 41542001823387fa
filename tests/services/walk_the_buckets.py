"""Run by `test_archive_s3.py`: an archive in buckets, of which one allows no reading until later.

`python walk_the_buckets.py COMMANDS FOLDER ADDRESS` prints what was seen as JSON. COMMANDS is the folder with
`bustle`; FOLDER has the images and a model, ADDRESS is the storage's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
from pyarrow import parquet

COMMANDS, FOLDER = map(Path, sys.argv[1:3])
PLACES = (
    "s3://open/there.png",
    "s3://open/missing.png",
    "s3://closed/there.png",
    "s3://nobody/there.png",
    "own.png",
)
NOBODY_READS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::closed/*"}
    ],
}


def answered(*more: str) -> dict[str, Any]:
    words = ["predict", f"manifest:{FOLDER / 'manifest.csv'}", "--out", FOLDER / "out"]
    done = subprocess.run(
        [COMMANDS / "bustle", *words, "--model", FOLDER / "hand.bustle", *more],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = parquet.read_table(FOLDER / "out" / "contents" / "part-000000.parquet").to_pylist()
    return {
        "code": done.returncode,
        "told": done.stdout + done.stderr,
        "problems": {row["image"]: row["problem"] for row in rows},
        "summary": json.loads((FOLDER / "out" / "summary.json").read_text(encoding="utf-8")),
    }


os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}
os.environ["AWS_ENDPOINT_URL"] = sys.argv[3]
storage = fsspec.filesystem("s3")
for number, bucket in enumerate(("open", "closed")):
    storage.mkdir(bucket)
    storage.put_file(str(FOLDER / f"{number}.png"), f"{bucket}/there.png")
storage.call_s3("put_bucket_policy", Bucket="closed", Policy=json.dumps(NOBODY_READS))
(FOLDER / "manifest.csv").write_text("\n".join(["image", *PLACES]), encoding="utf-8")
first = answered()
storage.call_s3("delete_bucket_policy", Bucket="closed")
print(json.dumps({"first": first, "later": answered("--resume")}))

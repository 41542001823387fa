"""Run by `test_page_s3.py`: a page whose files are in S3-compatible storage loses its folder.

`python walk_the_storage.py COMMANDS FOLDER SCAN ADDRESS` prints what was seen as JSON. COMMANDS is the folder with
`bustle`, ADDRESS the storage's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import fsspec

from bustle.client import PageClient

COMMANDS, FOLDER, SCAN = map(Path, sys.argv[1:4])


def served() -> tuple[subprocess.Popen[str], PageClient]:
    words = ["serve", "--port", "0", "--data-dir", FOLDER / "data", "--storage", "s3://scans/page"]
    process = subprocess.Popen([COMMANDS / "bustle", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    return process, PageClient(re.findall(r"http://\S+", process.stderr.readline())[0])


def ended(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}
os.environ["AWS_ENDPOINT_URL"] = sys.argv[4]
bucket = fsspec.filesystem("s3")
bucket.mkdir("scans")
process, page = served()
page.read([SCAN])
(case,) = page.cases()
before = page.case(case.id)
ended(process)
for kind in ("cases", "uploads"):
    shutil.rmtree(FOLDER / "data" / kind)
process, page = served()
seen = {"same": page.case(case.id) == before, "kept": len(bucket.find("scans"))}
page.export(case.id, "pdf", FOLDER / "report.pdf")
page.delete(case.id)
ended(process)
bucket.invalidate_cache()
seen["left"] = bucket.find("scans")
print(json.dumps(seen))

"""An archive whose files are in S3-compatible storage."""

from __future__ import annotations

import json
from pathlib import Path

from tests.inference.hand_made_package import scene, write_package
from tests.services.fresh_environment import FreshEnvironment

from bustle.io.raster import write_png


def test_what_a_bucket_does_not_give_is_told_and_the_rest_is_answered(
    wheel: Path, fresh_environment: FreshEnvironment, s3: str, tmp_path: Path
):
    fresh_environment.install(f"{wheel}[parquet,s3]")
    write_package(tmp_path / "hand.bustle")
    for width, name in enumerate(("0.png", "1.png", "own.png"), start=70):
        write_png(tmp_path / name, scene(64, width))
    script = Path(__file__).with_name("walk_the_buckets.py")
    printed = fresh_environment.run("python", script, fresh_environment.commands, tmp_path, s3)
    seen = json.loads(printed.splitlines()[-1])
    first, later = seen["first"], seen["later"]
    gone = "the file does not exist; correct the manifest, or restore the file"
    assert first["problems"] == {
        "s3://open/there.png": None,
        "s3://open/missing.png": gone,
        "s3://closed/there.png": "the bucket does not allow reading; give this account the permission",
        "s3://nobody/there.png": gone,
        "own.png": None,
    }
    assert (first["code"], first["summary"]["contents"], first["summary"]["failed"]) == (2, 2, 0), first["told"]
    assert "there.png" not in first["told"]
    assert (later["code"], later["summary"]["contents"], later["summary"]["unread"]) == (2, 3, 2), later["told"]

"""The page with its files in S3-compatible storage, which is moto's server."""

from __future__ import annotations

import json
from pathlib import Path

from tests.services.fresh_environment import FreshEnvironment

from bustle.webapp.demo_cases import PICTURES


def test_a_page_that_loses_its_folder_goes_on_from_the_storage(
    wheel: Path, fresh_environment: FreshEnvironment, tmp_path: Path
):
    fresh_environment.install(f"{wheel}[app,s3]", "moto[s3,server]")
    script = Path(__file__).with_name("walk_the_storage.py")
    scan = PICTURES / "case043.png"
    printed = fresh_environment.run("python", script, fresh_environment.commands, tmp_path, scan)
    seen = json.loads(printed.splitlines()[-1])
    assert seen["same"]
    assert seen["kept"] > 4
    assert seen["left"] == []

"""The page with its files in S3-compatible storage."""

from __future__ import annotations

import json
from pathlib import Path

from tests.services.fresh_environment import FreshEnvironment

from bustle.webapp.demo_cases import PICTURES


def test_a_page_that_loses_its_folder_goes_on_from_the_storage(
    wheel: Path, fresh_environment: FreshEnvironment, s3: str, tmp_path: Path
):
    fresh_environment.install(f"{wheel}[app,s3]")
    script = Path(__file__).with_name("walk_the_storage.py")
    scan = PICTURES / "case043.png"
    printed = fresh_environment.run("python", script, fresh_environment.commands, tmp_path, scan, s3)
    seen = json.loads(printed.splitlines()[-1])
    assert seen["same"]
    assert seen["kept"] > 4
    assert seen["left"] == ["scans/page/pseudonym-salt"], "which is the page's and nobody's"

"""The page with its files in S3-compatible storage, which is moto's server."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.fresh_environment import FreshEnvironment

from bustle.webapp.demo_cases import PICTURES


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[str]:
    """The address of an empty storage."""
    environment = FreshEnvironment(tmp_path / "moto")
    environment.install("moto[s3,server]")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = [environment.commands / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(address):
            assert time.monotonic() < deadline, "moto does not answer"
            time.sleep(0.2)
        yield address
    finally:
        running.terminate()
        running.wait()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True


def test_a_page_that_loses_its_folder_goes_on_from_the_storage(
    wheel: Path, fresh_environment: FreshEnvironment, storage: str, tmp_path: Path
):
    fresh_environment.install(f"{wheel}[app,s3]")
    script = Path(__file__).with_name("walk_the_storage.py")
    scan = PICTURES / "case043.png"
    printed = fresh_environment.run("python", script, fresh_environment.commands, tmp_path, scan, storage)
    seen = json.loads(printed.splitlines()[-1])
    assert seen["same"]
    assert seen["kept"] > 4
    assert seen["left"] == ["scans/page/pseudonym-salt"], "which is the page's and nobody's"

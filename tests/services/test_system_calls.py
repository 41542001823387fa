"""What no Python code can see: the system calls of the compiled libraries."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.watched_commands import TRAINED, USED, watched


def test_no_library_opens_a_connection(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        subprocess.run(["apt-get", "install", "--yes", "strace"], check=True, capture_output=True)
    calls = tmp_path / "calls.txt"
    done = watched(tmp_path, *TRAINED, *USED, before=("strace", "-f", "-qq", "-e", "trace=network", "-o", str(calls)))
    assert done.returncode == 0, done.stderr
    assert [line for line in calls.read_text().splitlines() if re.search(r"AF_INET|AF_INET6", line)] == []
    assert list((tmp_path / "home").rglob("*")) == []

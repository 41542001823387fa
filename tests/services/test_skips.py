"""A missing service is a failure: whatever a test of this room skips, the run ends red."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOM = Path(__file__).parent


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\ndef test_it():\n    pytest.skip('no server')\n",
        "import pytest\n@pytest.mark.skipif(True, reason='no server')\ndef test_it():\n    pass\n",
        "import pytest\nno_server = pytest.importorskip('no_server')\ndef test_it():\n    pass\n",
    ],
    ids=["in the test", "by a mark", "by an import"],
)
def test_a_skip_fails(text: str, tmp_path: Path) -> None:
    shutil.copy(ROOM / "conftest.py", tmp_path)
    (tmp_path / "test_skipping.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOM.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout
    assert "server" in done.stdout.partition("may not be skipped: ")[2], done.stdout

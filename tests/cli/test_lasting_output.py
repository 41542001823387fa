from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ACT = """
import sys, types
from pathlib import Path
from bustle.cli import main as cli
from bustle.core.progress import announce, progress
def run(arguments):
    for number in progress(range(3), description="work"):
        announce(f"warning {number}")
    print("Grün × 3 \\udcff.png \\x1b[31mred\\x07")
    for _ in range(2000): print("line")
    descriptor = Path("result.txt").open("w")
    descriptor.write("complete")
    descriptor.close()
    return 0
cli.VERBS = ("act",)
cli.verb_module = lambda verb: types.SimpleNamespace(HELP="Act.", add_arguments=lambda p: None, run=run)
sys.exit(cli.main(sys.argv[1:]))
"""
"""A verb that does what many do: a bar, warnings, a name of odd characters, more text than a buffer, a file."""

TOLD = "bustle: error: standard output cannot be written (No space left on device); what went to files is complete"


def act(folder: Path, redirected: str = "", *, verb: str = "act", **variables: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables
    (folder / "act.py").write_text(ACT)
    command = ["sh", "-c", f'exec "$0" act.py {verb} {redirected}', sys.executable]
    return subprocess.run(command, capture_output=True, cwd=folder, env=environment, check=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_written_as_its_escape(encoding: str, tmp_path: Path):
    done = act(tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode(encoding).splitlines()
    assert lines[0].startswith("Gr\\xfcn \\xd7 3 " if encoding == "ascii" else "Grün × 3 ")
    assert lines[0].endswith(r" \udcff.png \x1b[31mred\x07")
    assert lines.count("line") == 2000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("verb", ["act", "--help"])
def test_a_full_standard_output_is_one_line_at_the_end(verb: str, tmp_path: Path):
    done = act(tmp_path, "> /dev/full", verb=verb)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == TOLD
    assert b"Exception" not in done.stderr
    assert verb == "--help" or (tmp_path / "result.txt").read_text() == "complete"


@pytest.mark.parametrize("redirected", ["2>&-", ">&-", ">&- 2>&-", "2> /dev/full", "<&- >&- 2>&-"])
def test_output_that_is_closed_or_errors_that_cannot_be_told_change_nothing(redirected: str, tmp_path: Path):
    if "/dev/full" in redirected and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = act(tmp_path, redirected)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "result.txt").read_text() == "complete"
    assert ">&-" in redirected.replace("2>&-", "") or done.stdout.count(b"line") == 2000

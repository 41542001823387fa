from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from bustle.cli import main as cli
from bustle.core.errors import InputError
from bustle.core.files import atomic_path

HEAVY = ("torch", "lightning", "timm", "numpy", "cv2", "pandas", "matplotlib", "scipy", "skimage", "sklearn", "yaml")
LIMIT_SECONDS = 0.5
ASK_HELP = f"""
import sys
sys.argv = ["bustle", *sys.argv[1:]]
from bustle.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
loaded = sorted(set({HEAVY!r}) & set(sys.modules))
assert not loaded, f"--help imports {{loaded}}"
"""


def help_of(*words: str) -> tuple[str, float]:
    """What `bustle WORDS --help` prints, and the fastest of a few starts in seconds (other work may slow one)."""
    fastest = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", ASK_HELP, *words, "--help"], capture_output=True, text=True)
        fastest = min(fastest, time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        if fastest < LIMIT_SECONDS:
            break
    return done.stdout, fastest


def test_help_lists_every_verb_at_once_and_loads_nothing_heavy():
    text, seconds = help_of()
    listed = [line.split()[0] for line in text.splitlines() if re.match(r" {4}\w", line)]
    assert listed == list(cli.VERBS)  # one too long for its column stands alone on its line
    assert seconds < LIMIT_SECONDS


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_a_verb_comes_at_once_and_loads_nothing_heavy(verb: str):
    text, seconds = help_of(verb)
    assert text.startswith(f"usage: bustle {verb}")
    assert seconds < LIMIT_SECONDS


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_verbs_help_is_one_line(verb: str):
    text = cli.verb_module(verb).HELP
    assert text == " ".join(text.split())
    assert 10 < len(text) < 120


def test_every_file_of_a_verb_is_listed():
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - {"__init__", "main"}
    assert {name for name in files if "_" not in name} == set(cli.VERBS)


def fake_verb(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("what", nargs="?")

    module = types.SimpleNamespace(HELP="Do something.", add_arguments=add_arguments, run=run)
    monkeypatch.setattr(cli, "VERBS", ("act",))
    monkeypatch.setattr(cli, "verb_module", lambda verb: module)


def failing_with(error: BaseException):
    def run(arguments: argparse.Namespace) -> int:
        raise error

    return run


def test_success_is_the_verbs_own_code(monkeypatch: pytest.MonkeyPatch):
    fake_verb(monkeypatch, lambda arguments: 0 if arguments.what == "well" else 2)
    assert cli.main(["act", "well"]) == 0
    assert cli.main(["act", "badly"]) == 2


def test_a_users_error_is_one_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    fake_verb(monkeypatch, failing_with(InputError("is broken\nin two", remedy="mend it", path="a.png")))
    assert cli.main(["act"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "bustle: error: a.png: is broken in two; mend it\n"


def test_a_bug_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    fake_verb(monkeypatch, failing_with(KeyError("lost")))
    assert cli.main(["act"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("bustle: internal error: KeyError: 'lost'")
    assert "--debug" in err
    assert err.count("\n") == 1


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    fake_verb(monkeypatch, failing_with(KeyboardInterrupt()))
    assert cli.main(["act"]) == 2
    assert capsys.readouterr().err.startswith("bustle: interrupted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_is_answered_as_ctrl_c_and_leaves_no_temporary(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
):
    def run(arguments: argparse.Namespace) -> int:
        with atomic_path(tmp_path / "mask.png") as temporary:
            temporary.write_text("half")
            signal.raise_signal(number)
        return 0

    fake_verb(monkeypatch, run)
    before = signal.signal(number, signal.SIG_DFL)  # which `nohup` may have changed for the tests
    try:
        assert cli.main(["act"]) == 2
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    err = capsys.readouterr().err
    assert err.startswith("bustle: interrupted")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_hangup_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch):
    def run(arguments: argparse.Namespace) -> int:
        signal.raise_signal(signal.SIGHUP)
        return 0

    fake_verb(monkeypatch, run)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        assert cli.main(["act"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("words", [["--debug", "act"], ["act", "--debug"]])
@pytest.mark.parametrize("error", [InputError("is broken", remedy="mend it"), KeyError("lost"), KeyboardInterrupt()])
def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, words: list[str], error: BaseException):
    fake_verb(monkeypatch, failing_with(error))
    with pytest.raises(type(error)):
        cli.main(words)


def bustle(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-m", "bustle", *words], capture_output=True, text=True, cwd=cwd, env=environment
    )


def test_an_unknown_verb(tmp_path: Path):
    done = bustle("predcit", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("bustle: error: argument VERB: invalid choice: 'predcit'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["predict"], ["predict", "a.png", "--model", "m", "--out", "o", "--colour"]])
def test_wrong_options_are_one_line(words: list[str], tmp_path: Path):
    done = bustle(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "error: " in done.stderr
    assert "--help" in done.stderr


def test_version_and_no_verb(tmp_path: Path):
    done = bustle("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("bustle 0.")
    done = bustle(cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: bustle")


def test_output_that_nobody_reads_any_more_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    script = (
        "import types, sys\n"
        "from bustle.cli import main as cli\n"
        "def run(arguments):\n"
        "    for _ in range(100000): print('line')\n"
        "    return 0\n"
        "cli.VERBS = ('act',)\n"
        "cli.verb_module = lambda verb: types.SimpleNamespace(HELP='Act.', add_arguments=lambda p: None, run=run)\n"
        "sys.exit(cli.main(['act']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        complaint = running.stderr.read()
    assert running.returncode == 0
    assert complaint == b""


# Errors in data specs and recipes, through the verbs that take them.


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("bussi:somewhere", "unknown reader 'bussi'; did you mean busi"),
        ("busi", "'busi' is not a data spec; write READER:PATH"),
        ("folder:nowhere", "nowhere: does not exist; check the path in 'folder:nowhere'"),
        ("folder:.?colour=red", "unknown option of folder 'colour'"),
        ("folder:.?name=../up", "'../up' cannot name a source"),
    ],
)
def test_a_wrong_data_spec(spec: str, said: str, tmp_path: Path):
    done = bustle("evaluate", "--predictions", ".", "--data", spec, "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("bustle: error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_recipe(tmp_path: Path):
    done = bustle("train", "rmtl-net", "--data", "folder:.", "--out", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown recipe 'rmtl-net'; did you mean rmtl_net" in done.stderr
    assert done.stderr.count("\n") == 1

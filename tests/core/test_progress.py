from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import tqdm
import tqdm.auto

from bustle.core.progress import announce, bar_class, end_bars, heard_by, progress, redraw_interval


def test_every_item_comes_through_and_the_bar_goes_to_standard_error(capsys: pytest.CaptureFixture):
    assert list(progress(iter("abc"), description="read", total=3, unit="image")) == ["a", "b", "c"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "read: 100%" in err
    assert "3/3" in err


def test_a_line_in_between_is_a_line_of_its_own(capsys: pytest.CaptureFixture):
    for item in progress("ab", description="read", total=2):
        announce(f"about {item}")
    err = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert [line.strip() for line in err if line.startswith("about") or " about" in line] == ["about a", "about b"]


def test_what_follows_an_error_in_the_loop_begins_a_line(capsys: pytest.CaptureFixture):
    def read_all() -> None:
        for item in progress("abc", description="read"):
            raise ValueError(item)

    with pytest.raises(ValueError, match="a") as caught:
        read_all()
    assert caught.traceback  # which keeps the loop and its bar alive
    end_bars()
    before = capsys.readouterr().err
    assert before.startswith("\rread: ")
    assert before.endswith("\n")
    assert "\n" not in before[:-1]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [(SimpleNamespace(kernel=object()), tqdm.auto.tqdm), (SimpleNamespace(), tqdm.tqdm), (None, tqdm.tqdm)],
    ids=["notebook", "IPython in a terminal", "a program that imported IPython"],
)
def test_a_notebook_gets_its_own_bars(shell: object, expected: type, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert bar_class() is expected
    assert redraw_interval() == (0.5 if expected is tqdm.auto.tqdm else 20)
    assert list(progress("ab", description="read", passing=True)) == ["a", "b"]


def test_without_standard_error_the_work_is_done_in_silence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress("ab", description="read", total=2)) == ["a", "b"]
    announce("told to nobody")


def test_a_name_in_a_message_does_not_steer_the_terminal(capsys: pytest.CaptureFixture):
    announce("skipped: \x1b[2J\udcff.png")
    assert capsys.readouterr().err == "skipped: \\x1b[2J\\udcff.png\n"


def test_a_listener_hears_what_else_would_be_printed(capsys: pytest.CaptureFixture):
    heard: list[str] = []
    with heard_by(heard.append):
        for item in progress("ab", description="read"):
            announce(f"about {item}")
    assert heard == ["about a", "about b"]
    assert capsys.readouterr().err == ""
    announce("printed again")
    assert "printed again" in capsys.readouterr().err

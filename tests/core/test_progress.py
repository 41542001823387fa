from __future__ import annotations

import pytest

from bustle.core.progress import announce, progress


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

from __future__ import annotations

import pytest

from bustle.core.errors import InputError
from bustle.data.case_ids import check_case_id


@pytest.mark.parametrize(
    "case_id", ["busi/benign (433)", "bus-bra/bus_0001-l", "folder/Größe 1", "a/b.c", "s/" + "x" * 200]
)
def test_good_ids_pass_unchanged(case_id: str):
    assert check_case_id(case_id) == case_id


@pytest.mark.parametrize(
    ("case_id", "said"),
    [
        ("folder/../etc", r"it contains '\.\.'"),
        ("folder/..", r"it contains '\.\.'"),
        ("folder/a/b", "exactly one '/'"),
        ("stem", "exactly one '/'"),
        ("folder/a\\b", "no '\\\\'"),
        ("folder/a\nb", "control character"),
        ("folder/a\x00", "control character"),
        ("folder/a\u202eb", "control character"),
        ("folder/", "empty"),
        ("/a", "empty"),
        ("folder/.", "empty, '.'"),
        ("folder/ a", "padded"),
        ("folder/" + "ä" * 101, "longer than 200 bytes"),
    ],
)
def test_unsafe_ids_are_refused_in_one_line(case_id: str, said: str):
    with pytest.raises(InputError, match=said) as caught:
        check_case_id(case_id)
    assert "\n" not in str(caught.value)
    assert "rename" in str(caught.value)

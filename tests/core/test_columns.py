"""Rows written by columns come back with every value; what is no table is refused."""

from __future__ import annotations

import pytest

from bustle.core.columns import columns_of_rows, rows_of_columns

ROWS = [
    {"id": "a", "of": {"x": 1.5, "y": None}, "nothing": None, "pair": [1, 2]},
    {"id": "b", "of": {"x": None, "y": None}, "nothing": None, "pair": None},
]


def test_every_name_stands_once_and_every_value_comes_back():
    columns = columns_of_rows(ROWS)
    assert columns == {"id": ["a", "b"], "of": {"x": [1.5, None], "y": None}, "nothing": None, "pair": [[1, 2], None]}
    assert rows_of_columns(columns) == ROWS


@pytest.mark.parametrize("rows", [[], ROWS[:1], [{"id": 0, "of": {}}, {"id": 1, "of": {}}]])
def test_no_row_one_row_and_columns_of_nothing(rows):
    assert rows_of_columns(columns_of_rows(rows)) == rows


def test_a_name_of_some_rows_is_none_in_the_others():
    assert rows_of_columns(columns_of_rows([{"id": 1}, {"id": 2, "more": 3}]))[0] == {"id": 1, "more": None}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1, 2], "b": {"c": [1]}}, "columns of 1 and 2 rows"),
        ({"a": [1, 2], "b": "text"}, "b is no column"),
    ],
)
def test_what_is_no_table_is_refused(columns, said):
    with pytest.raises(ValueError, match=said):
        rows_of_columns(columns)

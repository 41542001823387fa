from __future__ import annotations

import time

import pytest
import yaml

from bustle.core.yaml_text import DEEPEST, MOST_VALUES, load_yaml


def test_plain_values():
    text = "a: {b: [1, 2.5, yes, null], c: x}\nd: &shared [1, 2]\ne: *shared\n"
    assert load_yaml(text) == yaml.safe_load(text)
    assert load_yaml("") is None
    assert load_yaml("3") == 3


def refused(text: str, said: str) -> None:
    begun = time.process_time()
    with pytest.raises(yaml.YAMLError, match=said):
        load_yaml(text)
    assert time.process_time() - begun < 1


def test_aliases_that_grow_without_end():
    """Ten levels of ten: a hundred lines would become ten thousand million values."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
    refused("\n".join(lines), f"it holds more than {MOST_VALUES} values, line 5")
    refused("&a {b: *a}", "nested more than")


@pytest.mark.parametrize("depth", [DEEPEST + 1, 900, 200_000])
def test_nesting_without_end(depth: int):
    refused("[" * depth + "]" * depth, f"nested more than {DEEPEST} deep, line 1")


def test_a_name_that_stands_twice():
    refused("a: 1\ntraining:\n  epochs: 2\n  epochs: 3\n", "'epochs' stands there twice, line 4")
    assert load_yaml("base: &b {a: 1}\nother: {<<: *b, a: 2}\n")["other"] == {"a": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9" * 5000, "digits"),
        ("2026-13-45", "month"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: b: c", "not allowed"),
    ],
)
def test_values_that_do_not_exist(text: str, said: str):
    refused(text, said)

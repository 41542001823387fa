from __future__ import annotations

import pytest

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.core.types import Case, Sample
from bustle.data.class_groups import in_class_groups

GROUPED = ["data.classes=[normal, lesion]", "data.class_groups={lesion: [benign, malignant]}"]


def never_loaded() -> Sample:
    raise AssertionError("labels need no pixels")


def test_members_take_the_name_of_their_group():
    cases = [Case(name, "s", never_loaded, label=name) for name in ("benign", "malignant", "normal")]
    cases.append(Case("unknown", "s", never_loaded))
    groups = load_recipe("demo", overrides=GROUPED).data.class_groups
    assert [case.label for case in in_class_groups(cases, groups)] == ["lesion", "lesion", "normal", None]
    assert [case.label for case in in_class_groups(cases, {})] == ["benign", "malignant", "normal", None]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["data.classes=[normal, lesion]"], "classes must be among benign, malignant, normal"),
        ([GROUPED[0], "data.class_groups={lesion: [benign, cyst]}"], "class_groups must make some of the classes"),
        (["data.class_groups={lesion: [benign, malignant]}"], "class_groups must make some of the classes"),
        (["data.classes=[benign, lesion]", GROUPED[1]], "classes must be among lesion, normal"),
    ],
)
def test_groups_that_make_no_sense_are_told(settings: list[str], words: str):
    with pytest.raises(InputError, match=words):
        load_recipe("demo", overrides=settings)

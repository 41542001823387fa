from __future__ import annotations

from dataclasses import replace

import pytest

from bustle.core.errors import InputError
from bustle.core.recipe import Recipe, load_protocol, load_recipe
from bustle.core.types import Case, Sample
from bustle.data.splits.splits import Fold
from bustle.experiments.annotation_check import check_annotations


def never_loaded() -> Sample:
    raise AssertionError("the check looks at no pixels")


def case(name: str, label: str | None = None, *, mask: bool = False) -> Case:
    return Case(name, "s", never_loaded, label=label, has_mask=mask)  # type: ignore[arg-type]


def recipe(monitor: str, *classes: str) -> Recipe:
    plain = load_recipe("demo")
    training = replace(plain.training, monitor=monitor)  # type: ignore[arg-type]
    return replace(plain, training=training, data=replace(plain.data, classes=classes or ("benign", "malignant")))


def check(train: list[Case], val: list[Case], *, chosen: Recipe, protocol: str = "strict") -> None:
    fold = Fold(train=tuple(c.case_id for c in train), val=tuple(c.case_id for c in val), test=())
    check_annotations(fold, title="fold 1", cases=[*train, *val], recipe=chosen, protocol=load_protocol(protocol))


BOTH = [case("t1", "benign"), case("t2", "malignant")]


def test_nothing_to_learn_from():
    with pytest.raises(InputError, match="none of the 2 training cases of fold 1 has a mask or a class"):
        check([case("a"), case("b")], [], chosen=recipe("loss"))
    check([case("a"), case("b", mask=True)], [], chosen=recipe("loss"))


def test_boxes_teach_where_the_recipe_lets_them():
    boxed = [replace(case(name), has_box=True) for name in "ab"]
    chosen = recipe("loss")
    with pytest.raises(InputError, match="has a mask or a class"):
        check(boxed, [], chosen=chosen)
    check(boxed, [], chosen=replace(chosen, data=replace(chosen.data, location="box")))


def test_one_class_only_and_a_class_without_cases_are_said(capsys: pytest.CaptureFixture[str]):
    check([case("a", "benign"), case("b")], [], chosen=recipe("loss"))
    assert "every training case of fold 1 is benign" in capsys.readouterr().err
    check(BOTH, [], chosen=recipe("loss", "benign", "malignant", "normal"))
    assert "no training case of fold 1 is normal: that is never learned" in capsys.readouterr().err
    check(BOTH, [], chosen=recipe("loss"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("val", "measurable"),
    [
        ([case("v")], {"loss"}),
        ([case("v", mask=True)], {"loss", "dice", "score"}),
        ([case("v", "normal", mask=True)], {"loss"}),
        ([case("v", "benign"), case("w", "benign")], {"loss"}),
        ([case("v", "benign"), case("w", "malignant")], {"loss", "auc", "score"}),
        ([case("v", "benign", mask=True), case("w", "malignant")], {"loss", "auc", "dice", "score"}),
    ],
)
def test_a_validation_part_that_cannot_choose_the_epoch(val: list[Case], measurable: set[str]):
    for monitor in ("loss", "dice", "auc", "score"):
        if monitor in measurable:
            check(BOTH, val, chosen=recipe(monitor))
        else:
            with pytest.raises(InputError, match=f"cannot measure training.monitor={monitor}"):
                check(BOTH, val, chosen=recipe(monitor))
        check(BOTH, val, chosen=recipe(monitor), protocol="rmtl")  # which has no validation part


def test_the_positive_class_without_malignant_cases_is_the_last():
    val = [case("v", "benign"), case("w", "normal")]
    check(BOTH, val, chosen=recipe("auc", "benign", "normal"))

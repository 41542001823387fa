"""Cases that a model was trained or chosen on are told, by their names and by their images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.inference.hand_made_package import write_package

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.types import Case, Sample
from bustle.data.relations.seen_images import sketches_of
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import write_splits
from bustle.data.splits.splits import Fold, Splits
from bustle.experiments.known_images import write_known_images
from bustle.experiments.training_overlap import training_overlap


def never_read() -> Sample:
    raise AssertionError("names are enough")


CASES = [Case(case_id=f"made/{number}", source="made", load=never_read) for number in range(10)]


def finish(fold: Path) -> None:
    """What a fold has that is trained and scored."""
    fold.mkdir()
    (fold / "best.safetensors").touch()
    (fold / "metrics.json").write_text("{}")


def test_cases_that_a_model_was_trained_on_are_called_a_leak(tmp_path: Path):
    folds = (Fold(("made/0", "made/1"), ("made/2",), ("made/3",)), Fold(("made/3",), (), ("made/0",)))
    finish(tmp_path / "fold-0")
    write_splits(tmp_path / "splits.json", Splits("strict", "strict", 0, folds, (), {}))
    (warning,) = training_overlap(tmp_path, CASES)
    assert "LEAK: 3 of 10 cases" in warning, "of the other fold there is no network yet"
    finish(tmp_path / "fold-1")
    (warning,) = training_overlap(tmp_path, CASES)
    assert "LEAK: 4 of 10 cases" in warning
    assert training_overlap(tmp_path / "fold-0", CASES[3:]) == []
    assert "LEAK: 3 of 4" in training_overlap(tmp_path / "fold-0", CASES[:4])[0]


def test_images_are_known_under_other_names_and_names_are_not_images(tmp_path: Path):
    phantoms = open_sources(["phantom:?cases=6&seed=3&size=96"]).cases
    trained, others = phantoms[:3], phantoms[3:]
    fold = Fold(tuple(case.case_id for case in trained), (), (others[0].case_id,))
    write_splits(tmp_path / "splits.json", Splits("strict", "strict", 0, (fold,), (), {}))
    write_known_images(tmp_path / "images.json", sketches_of(phantoms))
    finish(tmp_path / "fold-0")
    renamed = [replace(case, case_id=f"mine/{number}") for number, case in enumerate(trained)]
    (warning,) = training_overlap(tmp_path, [*renamed, *others])
    assert warning.startswith(
        "LEAK: 3 of 6 cases were used to train or to choose this model (mine/0, mine/1, mine/2)"
    )
    namesakes = [replace(case, case_id=old.case_id) for case, old in zip(others, trained, strict=True)]
    assert training_overlap(tmp_path, namesakes) == []
    (tmp_path / "images.json").write_text('{"format": 1, "images": {"a": 3}}')
    with pytest.raises(InputError, match=r"images\.json: is damaged"):
        training_overlap(tmp_path, others)


def test_a_package_that_learnt_images_later_still_knows_the_ids(tmp_path: Path):
    first, second, other = open_sources(["phantom:?cases=3&seed=3&size=96"]).cases
    images = [to_mapping(sketch) for sketch in sketches_of([second]).values()]
    package = write_package(tmp_path / "m.bustle", changes={"seen_images": images})  # which has seen site/a
    (warning,) = training_overlap(package, [replace(first, case_id="site/a"), second, other])
    assert "LEAK: 2 of 3" in warning


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"folds": {}}', '{"folds": [{"train": 1}]}'])
def test_what_a_model_was_trained_on_is_never_guessed_from_a_damaged_split(content: str, tmp_path: Path):
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(InputError, match=r"splits\.json: is not"):
        training_overlap(tmp_path, CASES)


def test_that_it_is_not_known_what_a_model_was_trained_on_is_said(tmp_path: Path):
    (warning,) = training_overlap(tmp_path, CASES)
    assert "whether it was trained on some of the cases is not known" in warning


def test_a_fold_that_its_split_does_not_have_is_told(tmp_path: Path):
    (tmp_path / "fold-7").mkdir()
    write_splits(tmp_path / "splits.json", Splits("strict", "strict", 0, (Fold((), (), ("made/0",)),), (), {}))
    with pytest.raises(InputError, match=r"splits\.json: has 1 folds, none of them fold-7"):
        training_overlap(tmp_path / "fold-7", CASES)

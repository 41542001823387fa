"""Small copies of data sets are read by the `folder` reader as the cases that they are of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.core.types import Box, Case, Geometry, Sample
from bustle.data.small_copy import write_small_copies
from bustle.data.sources import open_sources


def case(sample: Sample, **known: object) -> Case:
    made = Case(
        case_id=sample.case_id,
        source=sample.source,
        load=lambda: sample,
        label=sample.label,
        patient_id=sample.patient_id,
        has_mask=sample.lesion_mask is not None,
    )
    return replace(made, **known)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def sample() -> Sample:
    """40 rows of 80 pixels that are 0.1 mm wide and 0.2 mm high, with two lesions."""
    lesions = np.zeros((40, 80), np.uint8)
    lesions[4:12, 8:24] = 1
    lesions[20:36, 40:60] = 2
    image = np.repeat(np.repeat(np.arange(200, dtype=np.uint8).reshape(10, 20), 4, axis=0), 4, axis=1)
    return Sample(
        case_id="clinic/a (1)",
        source="clinic",
        image=image[None],
        geometry=Geometry((40, 80), spacing=(0.2, 0.1)),
        patient_id="007",
        label="malignant",
        lesion_mask=lesions,
        gland_mask=lesions == 0,
    )


def test_a_copy_is_the_same_case_on_fewer_pixels(sample: Sample, tmp_path: Path) -> None:
    second = replace(sample, case_id="clinic/b", lesion_mask=None, gland_mask=None, patient_id=None, label=None)
    cases = [case(sample, metadata={"birads": 4, "device": None}), case(second)]
    (written,) = write_small_copies(cases, tmp_path / "small", longest_side=20)
    assert (written.name, written.cases) == ("clinic", 2)
    assert written.bytes == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    first, other = open_sources([f"folder:{tmp_path / 'small/clinic'}?name=clinic"]).cases
    read = first.load()
    assert (first.case_id, first.patient_id, first.label) == ("clinic/a (1)", "007", "malignant")
    assert first.spacing == pytest.approx((0.8, 0.4))
    assert first.metadata == {"birads": "4", "device": ""}
    np.testing.assert_array_equal(read.image[0], np.arange(200).reshape(10, 20))
    assert sample.lesion_mask is not None
    np.testing.assert_array_equal(read.lesion_mask, sample.lesion_mask[::4, ::4])
    np.testing.assert_array_equal(read.gland_mask, sample.lesion_mask[::4, ::4] == 0)
    assert (other.case_id, other.patient_id, other.label) == ("clinic/b", None, None)
    assert (other.has_mask, other.has_gland) == (False, False)


def test_a_video_without_a_patient_stays_together_and_folds_of_publishers_are_told_of(
    sample: Sample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [replace(sample, case_id=f"clinic/{number}", patient_id=None) for number in range(2)]
    write_small_copies([case(frame, video="v7", official_fold=1) for frame in frames], tmp_path, longest_side=20)
    assert [each.patient_id for each in open_sources([f"folder:{tmp_path / 'clinic'}"]).cases] == ["v7", "v7"]
    assert "the publishers' folds are not kept" in capsys.readouterr().err


def test_nothing_is_enlarged_and_one_lesion_stays_one(sample: Sample, tmp_path: Path) -> None:
    assert sample.lesion_mask is not None
    one = replace(sample, lesion_mask=(sample.lesion_mask == 2).astype(np.uint8))
    write_small_copies([case(one)], tmp_path / "small", longest_side=256)
    read = open_sources([f"folder:{tmp_path / 'small/clinic'}"]).cases[0].load()
    np.testing.assert_array_equal(read.image, one.image)
    np.testing.assert_array_equal(read.lesion_mask, one.lesion_mask)


def test_what_a_copy_cannot_hold_is_refused(sample: Sample, tmp_path: Path) -> None:
    tiny = np.zeros((40, 80), np.uint8)
    tiny[5, 5] = 1
    flat = {"lesion_mask": None, "gland_mask": None}
    volume = replace(sample, image=sample.image[None], geometry=Geometry((1, 40, 80)), **flat)
    refused = {
        "a lesion of 'clinic/a .1.' has no pixel left; give a greater": replace(sample, lesion_mask=tiny),
        "has boxes alone": replace(sample, boxes=(Box(0, 0, 9, 9),), **flat),
        "is a volume": volume,
    }
    for told, one in refused.items():
        good = replace(sample, case_id="other/a")
        with pytest.raises(InputError, match=told):
            write_small_copies([case(good), case(one)], tmp_path / told[:4], longest_side=20)
        assert not list(tmp_path.rglob("*.png")), "half a data set"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="is not empty"):
        write_small_copies([case(sample)], tmp_path / "mine", longest_side=20)
    with pytest.raises(InputError, match="4 pixels are too few"):
        write_small_copies([case(sample)], tmp_path / "few", longest_side=4)

"""The phantom reader: lazy, picklable, known before any pixel."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.data.readers import phantom
from bustle.data.sources import open_sources


def test_lists_cases_without_making_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a pixel was made")

    monkeypatch.setattr(phantom, "phantom_case", forbidden)
    collection = open_sources(["phantom:"])
    assert len(collection.cases) == 200
    assert {case.label for case in collection.cases} == {"benign", "malignant", "normal"}
    assert len({case.patient_id for case in collection.cases}) == 80
    for case in collection.cases:
        assert case.files == ()
        assert case.has_mask
        assert case.has_gland
        assert case.spacing is not None


def test_loads_what_it_promised_also_from_another_process() -> None:
    collection = open_sources(["phantom:?cases=7&seed=5&size=48&name=toy"])
    for case in collection.cases[:3]:
        sample = pickle.loads(pickle.dumps(case)).load()
        assert sample.case_id == case.case_id
        assert case.case_id.startswith("toy/p000")
        assert sample.source == case.source == "toy"
        assert (sample.label, sample.patient_id) == (case.label, case.patient_id)
        assert sample.image.shape == (1, 48, 48)
        assert sample.geometry.spacing == case.spacing
        np.testing.assert_array_equal(sample.image, case.load().image)


def test_a_case_is_made_once_and_every_reader_may_change_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = open_sources(["phantom:?cases=1&seed=77&size=48"]).cases
    first = case.load()
    wanted = [first.image.copy(), first.lesion_mask.copy(), first.gland_mask.copy()]
    for array in (first.image, first.lesion_mask, first.gland_mask):
        array[:] = 1
    monkeypatch.setattr(phantom, "phantom_case", None)
    again = case.load()
    for found, array in zip((again.image, again.lesion_mask, again.gland_mask), wanted, strict=True):
        np.testing.assert_array_equal(found, array)


def test_large_cases_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    case_of = phantom.phantom_case
    monkeypatch.setattr(phantom, "phantom_case", lambda *a, **k: made.append(a) or case_of(*a, **(k | {"size": 48})))
    (case,) = open_sources([f"phantom:?cases=1&size={phantom.KEPT_SIZE + 1}"]).cases
    case.load()
    case.load()
    assert len(made) == 2


def test_metadata_tells_apart_all_that_changes_the_pixels() -> None:
    specs = ["phantom:?cases=30", "phantom:?cases=30&seed=1&name=b", "phantom:?cases=30&size=64&name=c"]
    cases = open_sources(specs).cases
    described = {json.dumps(dict(case.metadata), sort_keys=True) for case in cases}
    assert len(described) == len(cases) == 90
    longer = open_sources(["phantom:?cases=40"]).cases
    assert [case.metadata for case in longer[:30]] == [case.metadata for case in cases[:30]]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("phantom:?cases=many", "'many' is no whole number for cases="),
        ("phantom:?cases=-3", "no whole number"),
        ("phantom:?seed=1.5", "no whole number"),
        ("phantom:?cases=0", "cannot have 0 cases"),
        ("phantom:?size=7", "32 to 1024"),
        ("phantom:?volume=8", "unknown option of phantom 'volume'"),
        ("phantom:.?cases=3", "takes no path"),
    ],
)
def test_wrong_options_are_the_users_fault(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_sources([spec])

"""Whole volumes: lesions are found, looked at, drawn on the volume's own grid, and ranked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from tests.made_model import MADE_MODEL

from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning
from bustle.core.types import Geometry, Prediction, VolumeSegmentation
from bustle.inference.backend import NetworkOutput
from bustle.inference.decision import DecisionRule, Question
from bustle.inference.pipeline import Item
from bustle.inference.prediction_files import read_prediction, write_prediction
from bustle.inference.stored_prediction import StoredVolumeMask
from bustle.inference.volume_prediction import VolumePipeline, check_volume
from bustle.inference.volume_search import MOST_CANDIDATES, suspicious_places
from bustle.io.volume import read_volume, write_volume

DATA = PatchData(
    size=(32, 32, 32),
    spacing_mm=0.5,
    channels=1,
    mean=(0.0,),
    std=(1.0,),
    classes=("benign", "malignant"),
)
SPACING = (0.5, 0.25, 0.5)
SIZE = (70, 100, 60)
MEANING = MaskMeaning(("background", "lesion"), "softmax", (1,))


class BrightIsLesion:
    """A network for which what is brighter than 100 is a lesion, and malignant where the middle is above 200."""

    def __init__(self, meaning: MaskMeaning | None = MEANING):
        self.mask_meaning = meaning
        self.looks = 0

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        self.looks += 1
        grey = images[:, 0] * 255
        lesion = np.clip((grey - 60) / 80, 0.02, np.where(grey > 200, 0.98, 0.9))
        bright = ndimage.maximum_filter(grey[0], 5)[16, 16, 16]
        malignant = np.float32(0.9 if bright > 200 else 0.2)
        masks = None if self.mask_meaning is None else np.stack([1 - lesion, lesion], axis=1).astype(np.float32)
        return NetworkOutput(masks, np.array([[1 - malignant, malignant]], np.float32))


def ball(centre: tuple[float, float, float], radius_mm: float) -> NDArray[np.bool_]:
    axes = np.meshgrid(*[np.arange(n) * s for n, s in zip(SIZE, SPACING, strict=True)], indexing="ij")
    place = np.array(centre) * SPACING
    return sum((axis - p) ** 2 for axis, p in zip(axes, place, strict=True)) < radius_mm**2


FIRST, SECOND = (15.0, 30.0, 20.0), (52.0, 70.0, 41.0)
VOLUME = np.full((1, *SIZE), 20, np.uint8)
VOLUME[0][ball(FIRST, 3.0)] = 150
VOLUME[0][ball(SECOND, 4.0)] = 230
GEOMETRY = Geometry(SIZE, spacing=SPACING, origin=(1.0, 2.0, 3.0), direction=(1.0, 0, 0, 0, 1, 0, 0, 0, 1))


def predicted(
    volume: NDArray[np.uint8],
    centre=None,
    backend: BrightIsLesion | None = None,
    *,
    data: PatchData = DATA,
    rule: DecisionRule | None = None,
) -> Prediction:
    pipeline = VolumePipeline(backend or BrightIsLesion(), data, provenance=MADE_MODEL, rule=rule)
    return pipeline.predict(Item("made/1", volume, GEOMETRY, centre))


def drawn_in(prediction: Prediction) -> VolumeSegmentation:
    assert isinstance(prediction.segmentation, VolumeSegmentation)
    return prediction.segmentation


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_both_lesions_are_found_drawn_and_ranked():
    found = predicted(VOLUME)
    drawn = drawn_in(found)
    assert drawn.mask.shape == SIZE
    assert dice(drawn.mask, ball(FIRST, 3.0) | ball(SECOND, 4.0)) > 0.95
    assert drawn.network_mask.shape == (70, 50, 60)
    assert drawn.lesion_count == 2
    best, other = drawn.candidates
    assert best.score > other.score > 0.5
    assert best.centre == pytest.approx(SECOND, abs=0.6)
    assert other.centre == pytest.approx(FIRST, abs=0.6)
    assert best.volume_mm3 == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.06)
    assert best.voxels * np.prod(SPACING) == pytest.approx(best.volume_mm3)
    assert best.class_probabilities == pytest.approx({"benign": 0.1, "malignant": 0.9})
    assert other.class_probabilities == pytest.approx({"benign": 0.8, "malignant": 0.2})
    assert found.class_probabilities == best.class_probabilities
    assert found.decision == "malignant"
    assert np.array_equal(drawn.parts > 0, drawn.mask)
    assert dice(drawn.parts == 2, ball(FIRST, 3.0)) > 0.9
    rows = np.argwhere(drawn.parts == 1)
    assert (tuple(rows.min(axis=0)), tuple(rows.max(axis=0) + 1)) == (best.box_start, best.box_stop)
    assert found.geometry.origin == (1.0, 2.0, 3.0)


def test_nothing_suspicious_gives_an_empty_mask_a_place_and_classes():
    found = predicted(np.full((1, *SIZE), 20, np.uint8))
    assert not drawn_in(found).mask.any()
    assert drawn_in(found).lesion_count == 0
    (only,) = drawn_in(found).candidates
    assert only.score <= 0.5
    assert only.voxels == 0
    assert found.decision == "benign"


def test_with_a_centre_only_that_patch_is_looked_at():
    backend = BrightIsLesion()
    found = predicted(VOLUME, centre=FIRST, backend=backend)
    assert backend.looks == 1
    assert found.centre == FIRST
    assert dice(drawn_in(found).mask, ball(FIRST, 3.0)) > 0.93
    assert found.decision == "benign"


def test_a_classifier_is_told_where_to_look():
    backend = BrightIsLesion(meaning=None)
    found = predicted(VOLUME, centre=SECOND, backend=backend)
    assert found.segmentation is None
    assert found.centre == SECOND
    assert found.decision == "malignant"


BOUNDS = {"coverage_yes": 0.9, "coverage_no": 0.9, "cases_yes": 20, "cases_no": 20}
ALL_LESIONS = DecisionRule(
    domain=None,
    presence=None,
    malignancy=Question(intercept=0.0, weights=(0.5,), least_yes=0.3, least_no=0.3, **BOUNDS),
    smallest_part=0.0,
)


def test_a_rule_calibrates_the_classes_of_the_surest_lesion():
    plain, found = predicted(VOLUME), predicted(VOLUME, rule=ALL_LESIONS)
    assert found.answer is not None
    assert found.answer.probabilities == pytest.approx({"benign": 0.25, "malignant": 0.75}), (
        "3 : 1 is the root of 9 : 1"
    )
    assert found.decision == found.answer.decision == "malignant"
    assert found.class_probabilities == plain.class_probabilities
    np.testing.assert_array_equal(drawn_in(found).parts, drawn_in(plain).parts)
    assert drawn_in(found).raw_parts is None


def test_where_a_lesion_is_answered_and_none_drawn_the_surest_place_is_drawn(tmp_path):
    """Too faint for the network to draw it: 0.4 of the lesion map."""
    faint = np.full((1, *SIZE), 20, np.uint8)
    faint[0][ball(SECOND, 4.0)] = 92
    plain, found = predicted(faint), predicted(faint, rule=ALL_LESIONS)
    drawn = drawn_in(found)
    assert not drawn_in(plain).mask.any()
    assert dice(drawn.parts == 1, ball(SECOND, 4.0)) > 0.9
    assert drawn.lesion_count == 1
    assert drawn.candidates[0].score == drawn_in(plain).candidates[0].score < 0.5
    assert drawn.candidates[0].centre == pytest.approx(SECOND, abs=0.6)
    assert drawn.candidates[0].voxels == drawn.parts.sum()
    write_prediction(found, tmp_path / "p")
    stored = read_prediction(tmp_path / "p")
    assert stored.answer == found.answer
    assert isinstance(stored.segmentation, StoredVolumeMask)
    np.testing.assert_array_equal(stored.segmentation.parts, drawn.parts)
    assert not stored.segmentation.raw_mask.any()
    assert stored.segmentation.lesion_count == 1


class BrightOrNormal(BrightIsLesion):
    """A network that also says how probable no lesion is at all."""

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        plain = super().run(images)
        return plain._replace(classes=np.concatenate([0.1 * plain.classes, [[np.float32(0.9)]]], axis=1))


def test_where_no_lesion_is_answered_nothing_is_drawn_and_the_network_s_own_is_kept(tmp_path):
    data = replace(DATA, classes=("benign", "malignant", "normal"))
    presence = Question(intercept=-9.0, weights=(0.5, 0.5), least_yes=0.2, least_no=0.2, **BOUNDS)
    rule = replace(ALL_LESIONS, presence=presence)
    found = predicted(VOLUME, backend=BrightOrNormal(), data=data, rule=rule)
    plain = drawn_in(predicted(VOLUME, backend=BrightOrNormal(), data=data))
    drawn = drawn_in(found)
    assert found.decision == "no lesion"
    assert (drawn.lesion_count, drawn.mask.any()) == (0, False)
    assert [one.score for one in drawn.candidates] == [one.score for one in plain.candidates]
    write_prediction(found, tmp_path / "p")
    stored = read_prediction(tmp_path / "p").segmentation
    assert isinstance(stored, StoredVolumeMask)
    np.testing.assert_array_equal(stored.raw_parts, plain.parts)
    assert (stored.lesion_count, stored.mask.any()) == (0, False)


def test_the_most_suspicious_places_come_first_and_are_few():
    suspicion = np.zeros((60, 20, 20), np.float32)
    for number in range(15):
        suspicion[4 * number, 5:7, 5:7] = 0.3 + number * 0.04
    places = suspicious_places(suspicion)
    assert len(places) == MOST_CANDIDATES
    assert places[0] == pytest.approx((56, 5.5, 5.5))
    assert suspicious_places(np.full((3, 3, 3), 0.01, np.float32)) == [(0.0, 0.0, 0.0)]


def test_what_cannot_be_predicted_is_told_before():
    arguments = {"centre": None, "data": DATA, "outlines": True, "free": None}
    check_volume(GEOMETRY, **arguments)
    for changed, problem in (
        ({"outlines": False}, "outlines nothing, it cannot search"),
        ({"centre": (70.0, 0.0, 0.0)}, "does not lie in the volume of"),
        ({"free": 5_000_000}, r"needs 0.0 GB of memory to be predicted, 0.0 GB are free; check the spacing"),
    ):
        with pytest.raises(InputError, match=problem):
            check_volume(GEOMETRY, **(arguments | changed))
    with pytest.raises(InputError, match="is an image"):
        check_volume(Geometry((50, 60), spacing=(1.0, 1.0)), **arguments)


def test_the_most_suspicious_voxel_counts_and_not_the_size_of_its_place():
    suspicion = np.zeros((60, 30, 30), np.float32)
    suspicion[5:25, 5:25, 5:25] = 0.3  # a large faint shadow
    suspicion[50, 10, 10] = 0.9
    assert suspicious_places(suspicion)[0] == (50.0, 10.0, 10.0)


def test_candidates_keep_their_numbers_when_one_of_them_vanishes(tmp_path):
    """On the way to thicker slices a thin part may fall below a half."""
    found = predicted(VOLUME)
    drawn = drawn_in(found)
    parts = np.where(drawn.parts == 1, 3, drawn.parts).astype(np.uint8)
    write_prediction(replace(found, segmentation=replace(drawn, parts=parts)), tmp_path / "p")
    stored = read_prediction(tmp_path / "p")
    assert isinstance(stored.segmentation, StoredVolumeMask)
    assert np.array_equal(stored.segmentation.parts, parts)
    assert stored.segmentation.candidates == drawn.candidates
    network = stored.segmentation.network
    assert network is not None
    assert (network.grid.geometry, network.grid.mapping) == (found.geometry, found.mapping)


def test_what_is_drawn_lies_in_the_world_where_it_lay_in_the_file(tmp_path):
    """An oblique scanner's volume with voxels of 0.5 x 0.07 x 0.2 mm, as a viewer would lay the mask over it."""
    import SimpleITK

    size, spacing = (40, 240, 100), (0.5, 0.07, 0.2)
    turn, tilt = np.radians(33.3), np.radians(-12.1)
    about_z = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    direction = tuple((np.array(about_z) @ about_x).ravel().tolist())
    geometry = Geometry(size, spacing=spacing, origin=(-154.123456789, 33.3, 871.70001), direction=direction)
    axes = np.meshgrid(*[np.arange(n) * s for n, s in zip(size, spacing, strict=True)], indexing="ij")
    lesion = sum((axis - c) ** 2 for axis, c in zip(axes, (12.0, 9.1, 8.4), strict=True)) < 4.0**2
    write_volume(tmp_path / "scan.nrrd", np.where(lesion, 230, 20).astype(np.uint8), geometry=geometry)
    voxels, read = read_volume(tmp_path / "scan.nrrd")
    prediction = VolumePipeline(BrightIsLesion(), DATA, provenance=MADE_MODEL).predict(Item("a", voxels[None], read))
    write_prediction(prediction, tmp_path / "out", save_probability=True)
    scan = SimpleITK.ReadImage(str(tmp_path / "scan.nrrd"))
    for name in ("mask", "probability"):
        drawn = SimpleITK.ReadImage(str(tmp_path / "out" / f"{name}.nrrd"))
        assert (drawn.GetSize(), drawn.GetSpacing()) == (scan.GetSize(), scan.GetSpacing())
        assert (drawn.GetOrigin(), drawn.GetDirection()) == (scan.GetOrigin(), scan.GetDirection())
    mask = SimpleITK.ReadImage(str(tmp_path / "out" / "mask.nrrd"))
    drawn_mask = drawn_in(prediction).mask
    assert np.array_equal(SimpleITK.GetArrayFromImage(mask) > 0, drawn_mask)
    assert dice(drawn_mask, lesion) > 0.95
    statistics = SimpleITK.LabelIntensityStatisticsImageFilter()
    statistics.Execute(mask, scan)  # ITK refuses images that do not occupy the same space
    grey = np.median(voxels[drawn_mask])
    assert statistics.GetMedian(1) == pytest.approx(grey, abs=1)


class BelowTheBright(BrightIsLesion):
    """A network that tells up from down: it draws two voxels below what is bright."""

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        return super().run(np.roll(images, 2, axis=3))


def test_a_volume_stored_with_other_axes_is_the_same_volume():
    """As RAS instead of LPS, with depth as the last axis: the answer lies in the same tissue, on its own grid."""
    expected = predicted(VOLUME, backend=BelowTheBright())
    turned = np.flip(VOLUME, (2, 3)).transpose(0, 1, 3, 2)
    ras = (0.0, -1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    last = (1.0 + 0.5 * (SIZE[2] - 1), 2.0 + 0.25 * (SIZE[1] - 1), 3.0)
    geometry = Geometry((70, 60, 100), spacing=(0.5, 0.5, 0.25), origin=last, direction=ras)
    item = Item("made/1", np.ascontiguousarray(turned), geometry)
    found = VolumePipeline(BelowTheBright(), DATA, provenance=MADE_MODEL).predict(item)
    drawn, as_drawn = drawn_in(found), drawn_in(expected)
    np.testing.assert_array_equal(np.flip(drawn.mask.transpose(0, 2, 1), (1, 2)), as_drawn.mask)
    np.testing.assert_array_equal(drawn.network_mask, as_drawn.network_mask)
    assert dice(as_drawn.mask, ball(FIRST, 3.0) | ball(SECOND, 4.0)) < 0.9, "the network moved it"
    for one, other in zip(drawn.candidates, as_drawn.candidates, strict=True):
        slice_, row, column = one.centre
        assert (slice_, SIZE[1] - 1 - column, SIZE[2] - 1 - row) == pytest.approx(other.centre)
        assert one.volume_mm3 == pytest.approx(other.volume_mm3)

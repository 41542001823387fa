"""Shapes: what tells the classes apart, and that it does not tell all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import regionprops
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bustle.data.phantom.anatomy import PixelGrid
from bustle.data.phantom.cases import anatomy_masks, case_anatomy
from bustle.data.phantom.lesions import LESION_KINDS, draw_lesions
from bustle.data.phantom.plan import plan_case


def shape_features(mask: np.ndarray) -> tuple[list[float], float]:
    region = regionprops(mask.astype(int))[0]
    top, left, bottom, right = region.bbox
    aspect = (bottom - top) / (right - left)
    return [region.solidity, aspect, 4 * np.pi * region.area / region.perimeter**2, region.eccentricity], aspect


@pytest.fixture(scope="module")
def shapes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features, malignant, patients = [], [], []
    for index in range(400):
        plan = plan_case(index, seed=0)
        if plan.patient.label != "normal":
            instances, _ = anatomy_masks(plan.patient, case_anatomy(plan), size=128)
            features.append(shape_features(instances == 1)[0])
            malignant.append(plan.patient.label == "malignant")
            patients.append(plan.patient.number)
    return np.array(features), np.array(malignant), np.array(patients)


def test_class_is_recoverable_from_shape_but_not_perfectly(shapes: tuple[np.ndarray, ...]) -> None:
    features, malignant, patients = shapes
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_predict(
        classifier, features, malignant, groups=patients, cv=GroupKFold(5), method="predict_proba"
    )[:, 1]
    assert 0.80 < roc_auc_score(malignant, scores) < 0.97


def test_benign_lesions_are_wider_than_tall_and_smoother(shapes: tuple[np.ndarray, ...]) -> None:
    features, malignant, _ = shapes
    solidity, aspect = features[:, 0], features[:, 1]
    assert np.median(aspect[~malignant]) < 0.85 < np.median(aspect[malignant])
    assert np.median(solidity[malignant]) < np.median(solidity[~malignant]) - 0.02
    assert aspect[~malignant].max() > aspect[malignant].min()


def test_appearance_overlaps_between_the_classes() -> None:
    solid, cyst, spiculated = (LESION_KINDS[kind] for kind in ("solid", "cyst", "spiculated"))
    assert sum(cyst.posterior_db) > sum(solid.posterior_db) > 0 > sum(spiculated.posterior_db)
    assert solid.posterior_db[0] < spiculated.posterior_db[1]
    assert solid.echo_db[0] < spiculated.echo_db[1]
    assert cyst.echo_db[1] < spiculated.echo_db[0]
    assert 0 < solid.halo_chance < spiculated.halo_chance < 1


@pytest.mark.parametrize("kind", list(LESION_KINDS))
def test_outline_has_the_drawn_size_and_lies_in_the_image(kind: str) -> None:
    grid = PixelGrid(220, 220, 0.2, 0.2)
    z, x = grid.coordinates()
    for seed in range(20):
        (lesion,) = draw_lesions(np.random.default_rng(seed), (kind,), gland=(8.0, 24.0), depth_mm=44.0)
        inside = lesion.signed_distance(z, x) < 0
        sizes = np.bincount(ndimage.label(inside)[0].ravel())[1:]
        assert sizes.max() > 0.97 * sizes.sum()  # but for the tips of spicules, which are thinner than a pixel
        core = lesion.signed_distance(z, x, core=True) < 0
        assert not np.any(core & ~inside)
        area = 0.5 * np.mean(lesion.radius.astype(float) ** 2) * 2 * np.pi
        clipped = inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()
        if not clipped:
            assert inside.sum() * 0.04 == pytest.approx(area, rel=0.03)
        assert area > 5


def test_second_lesion_stands_apart() -> None:
    z, x = PixelGrid(220, 220, 0.2, 0.2).coordinates()
    apart = 0
    for seed in range(20):
        first, second = draw_lesions(np.random.default_rng(seed), ("solid", "cyst"), gland=(8.0, 24.0), depth_mm=44.0)
        apart += not np.any((first.signed_distance(z, x) < 0) & (second.signed_distance(z, x) < 0))
    assert apart >= 16

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.rounding import sum_tolerance

from bustle.core.errors import InputError
from bustle.core.run_layout import RunLayout
from bustle.core.types import Geometry, ImageSegmentation
from bustle.inference.predictor import Item, Predictor

MakeRun = Callable[..., Path]
ROUNDING = sum_tolerance(16)
"""From a grey value to a probability: scaling, the gain, the exponentials and their sum, four neighbours' mean."""


def scene(height: int, width: int, *, channels: int = 1) -> np.ndarray:
    """Dark, with a bright rectangle over the middle half of both axes."""
    image = np.full((channels, height, width), 20, np.uint8)
    image[:, height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 235
    return image


def agreement(mask: np.ndarray, image: np.ndarray) -> float:
    return float((mask == (image[0] > 128)).mean())


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 64), (480, 301), (4096, 64)])
@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_mask_returns_to_the_original_grid(make_run: MakeRun, size: tuple[int, int], resize: str, activation: str):
    predictor = Predictor.open(make_run(config={"activation": activation}, resize=resize))
    image = scene(*size)
    prediction = predictor.predict(image, case_id="site/a", spacing=(0.2, 0.1))
    drawn = prediction.segmentation
    assert isinstance(drawn, ImageSegmentation)
    assert drawn.mask.shape == drawn.probability.shape == size
    assert drawn.mask.dtype == np.bool_
    assert drawn.probability.dtype == np.float32
    if size != (4096, 64) or resize == "stretch":  # a letterboxed 4096 x 64 image is one pixel wide to the network
        assert agreement(drawn.mask, image) > 0.93
        (lesion,) = drawn.lesions
        assert lesion.unit == "mm"
        assert lesion.area == pytest.approx(drawn.mask.sum() * 0.02)
    assert drawn.network_mask.shape == (64, 64)
    assert prediction.geometry.original_size == size


def test_probabilities_are_those_of_the_logits(make_run: MakeRun):
    predictor = Predictor.open(make_run({"gain": 2.0, "malignant": 1.0}))
    image = np.full((1, 64, 64), 153, np.uint8)  # 0.6 of the range: intensity 0.2, tumour logit 0.4
    prediction = predictor.predict(image, case_id="a")
    expected = math.exp(0.4) / (math.exp(0.4) + math.exp(-9) + 1)
    assert isinstance(prediction.segmentation, ImageSegmentation)
    assert np.allclose(prediction.segmentation.probability, expected, rtol=0, atol=ROUNDING)
    malignant = 1 / (1 + math.exp(-1))
    assert prediction.class_probabilities == pytest.approx(
        {"benign": 1 - malignant, "malignant": malignant}, abs=ROUNDING
    )
    assert prediction.decision == "malignant"


def test_the_folds_of_a_run_are_averaged_as_probabilities(make_run: MakeRun):
    run = make_run({"malignant": 3.0}, {"malignant": -1.0}, {"malignant": 0.5})
    single = [Predictor.open(run / f"fold-{k}").predict(scene(64, 64), case_id="a") for k in range(3)]
    mean = Predictor.open(run).predict(scene(64, 64), case_id="a")
    assert mean.class_probabilities is not None
    expected = np.mean([one.class_probabilities["malignant"] for one in single])  # type: ignore[index]
    assert mean.class_probabilities["malignant"] == pytest.approx(expected, abs=ROUNDING)
    assert [weights.fold for weights in mean.provenance.weights] == ["fold-0", "fold-1", "fold-2"]
    digest = hashlib.sha256((run / "fold-1" / "best.safetensors").read_bytes()).hexdigest()
    assert mean.provenance.weights[1].sha256 == digest
    assert Predictor.open(run, fold=1).predict(scene(64, 64), case_id="a").class_probabilities == (
        single[1].class_probabilities
    )


def test_only_finished_folds_of_a_run_count_but_a_fold_may_be_named_itself(make_run: MakeRun):
    run = make_run({}, {})
    (run / "fold-0" / "metrics.json").unlink()
    finished = Predictor.open(run)
    assert len(finished.predict(scene(64, 64), case_id="a").provenance.weights) == 1
    assert finished.warnings == ()
    assert finished.provenance.unfinished == ()
    for unfinished in (Predictor.open(run / "fold-0"), Predictor.open(run, fold=0)):
        (warning,) = unfinished.warnings
        assert warning.startswith("UNFINISHED: fold-0 is not trained and scored to its end")
        assert unfinished.predict(scene(64, 64), case_id="a").provenance.unfinished == ("fold-0",)
    assert Predictor.of_trained_fold(RunLayout(run), 0).warnings == (), "which is on its way to be finished"
    (run / "fold-1" / "best.safetensors").unlink()
    with pytest.raises(InputError, match="has no finished fold; finish its training with --resume"):
        Predictor.open(run)
    with pytest.raises(InputError, match=r"has no best\.safetensors yet"):
        Predictor.open(run, fold=1)
    with pytest.raises(InputError, match="fold-7: is not a folder"):
        Predictor.open(run, fold=7)


def test_images_of_many_sizes_and_colours_in_batches_equal_one_by_one(make_run: MakeRun):
    predictor = Predictor.open(make_run(channels=3, mean=(0.5,) * 3, std=(0.5,) * 3))
    items = [
        Item(
            f"site/{i}",
            scene(40 + 17 * i, 90 - 5 * i, channels=1 if i % 2 else 3),
            Geometry((40 + 17 * i, 90 - 5 * i), spacing=None if i % 3 else (0.1, 0.1)),
        )
        for i in range(7)
    ]
    many = list(predictor.predict_many(iter(items), batch_size=3))
    assert [prediction.case_id for prediction in many] == [item.case_id for item in items]
    for together, item in zip(many, items, strict=True):
        alone = predictor.predict(item.image, case_id=item.case_id, spacing=item.geometry.spacing)
        ours, own = together.segmentation, alone.segmentation
        assert isinstance(ours, ImageSegmentation)
        assert isinstance(own, ImageSegmentation)
        assert np.array_equal(ours.mask, own.mask)
        assert np.allclose(ours.probability, own.probability, rtol=0, atol=ROUNDING)
        assert ours.lesions == own.lesions
        assert (together.geometry, together.mapping) == (alone.geometry, alone.mapping)


def test_at_most_one_batch_is_read_ahead(make_run: MakeRun):
    predictor = Predictor.open(make_run())
    read = []

    def items():
        for i in range(10):
            read.append(i)
            yield Item(f"site/{i}", scene(64, 64), Geometry((64, 64)))

    predictions = predictor.predict_many(items(), batch_size=4)
    next(predictions)
    assert len(read) == 4


def test_networks_without_mask_or_without_class(make_run: MakeRun, tmp_path: Path):
    prediction = Predictor.open(make_run(config={"has_mask": False})).predict(scene(64, 64), case_id="a")
    assert prediction.segmentation is None
    assert prediction.decision == "benign"


def test_a_network_without_class(make_run: MakeRun):
    prediction = Predictor.open(make_run(config={"has_class": False})).predict(scene(64, 64), case_id="a")
    assert prediction.class_probabilities is None
    assert prediction.decision is None
    assert prediction.segmentation is not None
    assert prediction.segmentation.lesion_count == 1


def test_weights_that_are_spoilt(make_run: MakeRun):
    predictor = Predictor.open(make_run({"gain": float("nan")}))
    with pytest.raises(InputError, match="output is not a number"):
        predictor.predict(scene(64, 64), case_id="a")


def test_weights_that_cannot_be_used(make_run: MakeRun):
    run = make_run()
    weights = run / "fold-0" / "best.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-3])
    with pytest.raises(InputError, match="is not a readable safetensors file") as caught:
        Predictor.open(run)
    assert caught.value.path == weights
    weights.write_bytes(b"")
    with pytest.raises(InputError, match="is not a readable safetensors file"):
        Predictor.open(run)
    save_file({"gain": torch.tensor(1.0)}, weights)
    with pytest.raises(InputError, match=r"does not fit the network of its recipe \(Missing key.*malignant"):
        Predictor.open(run)
    save_file({"gain": torch.ones(2), "malignant": torch.tensor(0.0)}, weights)
    with pytest.raises(InputError, match="size mismatch for gain") as caught:
        Predictor.open(run)
    assert "\n" not in str(caught.value)


def test_folders_that_are_no_run(tmp_path: Path):
    with pytest.raises(InputError, match="absent: does not exist; give a run of `bustle train` or a package of"):
        Predictor.open(tmp_path / "absent")
    with pytest.raises(InputError, match=r"is not a run folder \(no recipe\.yaml\)"):
        Predictor.open(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there(make_run: MakeRun):
    with pytest.raises(InputError, match="no CUDA device was found; use --device cpu"):
        Predictor.open(make_run(), device="cuda")


def test_inference_is_imported_without_torch():
    script = (
        "import sys, importlib, pkgutil, bustle.inference, bustle.experiments.predict\n"
        "for module in pkgutil.iter_modules(bustle.inference.__path__):\n"
        "    importlib.import_module(f'bustle.inference.{module.name}')\n"
        "loaded = {'torch', 'timm', 'lightning', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

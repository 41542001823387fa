"""Model packages that earlier versions wrote are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.inference.hand_made_package import ROUNDING, scene, write_package

from bustle.core.data_section import PatchData
from bustle.inference import package_backend
from bustle.inference.package import FORMAT_VERSION, Package, TrainingSource, case_digest
from bustle.inference.predictor import Predictor

OLDER = Path(__file__).parent / "older_packages" / "image.bustle"
"""The package that `write_package` makes, as it was written when format 1 was the newest."""


def test_a_package_of_format_1_is_read_and_predicts(tmp_path: Path):
    written = json.loads((OLDER / "package.json").read_text())
    assert (written["format_version"], written["preprocessing"]["spacing_mm"]) == (1, None)
    assert Package(OLDER).record.preprocessing == Package(write_package(tmp_path / "new.bustle")).record.preprocessing
    found = Predictor.open(OLDER, device="cpu").predict(scene(96, 120), case_id="a")
    assert found.segmentation is not None
    assert found.segmentation.mask.sum() == 2880, "as when it was made"
    assert found.class_probabilities == pytest.approx({"benign": 0.6038587, "malignant": 0.3961413}, abs=ROUNDING)


def test_the_patches_of_a_package_of_format_1_keep_their_settings(tmp_path: Path):
    folder = tmp_path / "old.bustle"
    shutil.copytree(OLDER, folder)
    record = json.loads((folder / "package.json").read_text())
    record["preprocessing"] |= {"size": [32, 32, 32], "resize": "patch", "spacing_mm": 0.5, "lesion_share": 0.7}
    record["input"]["shape"] = ["batch", 1, 32, 32, 32]
    (folder / "package.json").write_text(json.dumps(record))
    assert Package(folder).record.preprocessing == PatchData(
        size=(32, 32, 32), spacing_mm=0.5, lesion_share=0.7, channels=1, mean=(0.5,), std=(0.5,)
    )


def test_a_package_from_before_class_maps_is_read(tmp_path: Path):
    package = Package(write_package(tmp_path / "older.bustle", changes={"format_version": 4, "half": True}))
    assert (package.record.format_version, package.record.half) == (FORMAT_VERSION, True)
    assert not any(backend.gives_class_maps for backend in package_backend.cpu_backends(package))


def test_digests_of_ids_are_read_where_a_package_knows_no_images(tmp_path: Path):
    sketch = {"content": "ab" * 16, "sketch": "cd" * 16}
    alone = write_package(tmp_path / "alone.bustle", changes={"format_version": 5})
    beside = write_package(tmp_path / "beside.bustle", changes={"format_version": 5, "seen_images": [sketch]})
    assert Package(alone).record.seen_cases == Package(OLDER).record.seen_cases == (case_digest("site/a"),)
    assert Package(beside).record.seen_cases == ()


def test_what_a_package_of_format_1_records_of_its_training_and_of_parity_is_read(tmp_path: Path):
    folder = tmp_path / "old.bustle"
    shutil.copytree(OLDER, folder)
    record = json.loads((folder / "package.json").read_text())
    source = {"cases": 12, "sha256": "ab", "licence": None}
    start = {"track": "strict", "protocol": "strict", "starting_weights": None, "encoder_weights": "imagenet"}
    checked = {"largest_mask_difference": 1e-7, "largest_class_difference": None, "flipped_pixels": 0, "pixels": 4096}
    record |= {"training": start | {"data": {"site": source}}, "parity": checked | {"batches": [1, 2, 4]}}
    (folder / "package.json").write_text(json.dumps(record))
    read = Package(folder).record
    assert read.training is not None
    assert read.training.encoder_weights == "imagenet"
    assert read.training.data["site"] == TrainingSource(cases=12, sha256="ab", licence=None)
    assert read.parity is not None
    assert (read.parity.runtimes, read.parity.pixels) == ((), 4096), "the first ones did not say in what they ran"
    assert Package(OLDER).record.training is Package(OLDER).record.parity is None

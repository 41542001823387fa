"""The page of predictions, from their files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tests.inference.hand_made_package import write_package

from bustle.cli.main import main
from bustle.core.config import to_mapping
from bustle.core.types import LesionCandidate
from bustle.data.relations.seen_images import image_sketch
from bustle.experiments.answers_report import size_of_candidate
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.prediction_record import CandidateRecord, DescriptorsRecord
from bustle.io.raster import write_png


def scan(seed: int) -> np.ndarray:
    grain = np.random.default_rng(seed).integers(60, 200, (12, 16)).astype(np.uint8)
    picture = cv2.resize(grain, (96, 72), interpolation=cv2.INTER_CUBIC)
    picture[:20, :30] = 250
    return np.asarray(picture, np.uint8)


def test_the_page_tells_of_lesions_that_are_cut_off_and_of_images_that_the_model_has_seen(tmp_path: Path):
    scans = tmp_path / "scans"
    scans.mkdir()
    write_png(scans / "new.png", scan(1))
    write_png(scans / "seen.png", scan(2))
    write_png(scans / "smaller.png", np.asarray(cv2.resize(scan(2), (80, 60), interpolation=cv2.INTER_AREA)))
    sketch = image_sketch(scan(2)[None])
    package = write_package(tmp_path / "hand.bustle", changes={"seen_images": [to_mapping(sketch)]})
    out = tmp_path / "out"
    assert main(["predict", str(scans), "--model", str(package), "--out", str(out), "--report"]) == 0
    page = (out / "answers.html").read_text(encoding="utf-8")
    cards = {card.split('"', 1)[0]: card for card in page.split('src="')[1:]}
    assert set(cards) == {f"{name}/overlay.png" for name in ("new", "seen", "smaller")}
    assert "trained or chosen" not in cards["new/overlay.png"]
    assert "on this very image" in cards["seen/overlay.png"]
    assert "looks like a copy" in cards["smaller/overlay.png"]
    assert all("is cut off by the edge" in card for card in cards.values())
    assert all("echo pattern" in card and "All measurements" in card for card in cards.values())


def test_the_size_of_a_lesion_that_the_edge_of_its_volume_cuts_off_is_that_of_a_part():
    voxels = np.zeros((20, 20, 20), bool)
    voxels[:10, 6:12, 6:14] = True
    sizes = []
    for lesion in (voxels, np.roll(voxels, 5, axis=0)):
        (found,) = describe_lesions(np.where(lesion, 60, 120).astype(np.uint8), lesion, spacing=(1, 1, 1))
        place = LesionCandidate((5, 9, 10), 0.9, 480, 480.0, (0, 6, 6), (10, 12, 14), None)
        record = CandidateRecord(found=place, descriptors=DescriptorsRecord.of(found))
        sizes.append(size_of_candidate(record, unit="mm"))
    assert sizes[0] == f"{sizes[1]} (of the part within the volume)"

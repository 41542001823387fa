"""What `make demo` shows: pictures that may be shipped, and a page that says what they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bustle.data.relations.seen_images import SeenImages, image_sketch
from bustle.data.sources import open_sources
from bustle.experiments.training_overlap import overlap_of_start
from bustle.inference.package import Package
from bustle.inference.shipped import REFERENCE, shipped_package
from bustle.io.raster import read_image

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "src" / "bustle" / "webapp" / "demo"
EXAMPLES = sorted((DEMO / "images").iterdir())


def test_every_example_is_named_with_its_truth_source_and_licence():
    told = (DEMO / "README.md").read_text(encoding="utf-8")
    assert EXAMPLES
    assert all(f"| `images/{path.name}` |" in told for path in EXAMPLES)
    assert "creativecommons.org/licenses/by/4.0" in told
    assert "10.1038/s41597-024-02984-z" in told


def test_the_reference_model_knows_every_example_again_so_that_none_passes_for_unseen():
    known = SeenImages(Package(shipped_package(REFERENCE)).record.seen_images)
    assert {known.relation(image_sketch(read_image(path))) for path in EXAMPLES} == {"same"}


@pytest.mark.full
def test_the_demo_ends_with_a_page_of_its_answers(tmp_path: Path):
    script = ROOT / "scripts" / "demo.py"
    done = subprocess.run([sys.executable, script, tmp_path / "demo"], capture_output=True, text=True, check=True)
    page = tmp_path / "demo" / "answers" / "answers.html"
    assert page.as_uri() in done.stdout
    text = page.read_text(encoding="utf-8")
    assert text.count("<article") == len(EXAMPLES) + 6
    assert text.count("trained or chosen on this very image") == len(EXAMPLES)


def test_a_training_that_starts_from_the_reference_model_knows_that_it_has_seen_them(tmp_path: Path):
    cases = open_sources([f"folder:{DEMO}"]).cases
    (warning,) = overlap_of_start(Path(REFERENCE), cases)
    assert warning.startswith(
        f"of the weights that the training starts from: LEAK: {len(EXAMPLES)} of {len(EXAMPLES)}"
    )
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    assert overlap_of_start(weights, cases) == overlap_of_start(None, cases) == []

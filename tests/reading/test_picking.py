from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.io.raster import write_png
from bustle.reading.picking import pick


def frames(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        write_png(folder / f"{number}.png", np.full((32, 32), 10 * number, np.uint8))
    return folder


def test_clips_of_one_name_have_folders_of_their_own(tmp_path: Path):
    first, second = frames(tmp_path / "left" / "a"), frames(tmp_path / "right" / "a", 2)
    (tmp_path / "left.csv").write_text("video,patient_id,spacing_mm\nleft/a,p1,0.2\n")
    picked = pick([f"frames:{tmp_path / 'left.csv'}", f"frames:{second}?name=other"])
    assert [(clip.name, clip.numbers, clip.place.patient) for clip in picked.clips] == [
        ("a", (0, 1, 2), "p1"),
        ("a-2", (0, 1), None),
    ]
    assert [(clip.spacing, clip.unit) for clip in picked.clips] == [((0.2, 0.2), "mm"), (None, "px")]
    assert picked.is_study
    assert not pick([str(first)]).is_study


def test_names_that_differ_in_case_alone_are_one_folder_on_some_systems(tmp_path: Path):
    first, second = frames(tmp_path / "first" / "clip", 2), frames(tmp_path / "second" / "CLIP", 2)
    picked = pick([f"frames:{first}", f"frames:{second}?name=other"])
    assert [clip.name for clip in picked.clips] == ["clip", "CLIP-2"]


def test_a_given_size_replaces_the_stated_one_and_is_another_clip(tmp_path: Path):
    frames(tmp_path / "a")
    (tmp_path / "v.csv").write_text("video,spacing_mm\na,0.2\n")
    spec = f"frames:{tmp_path / 'v.csv'}"
    (stated,), (given,) = pick([spec]).clips, pick([spec], spacing=(0.1, 0.3)).clips
    assert given.spacing == (0.1, 0.3)
    assert given.digest() != stated.digest()
    assert pick([spec]).clips[0].digest() == stated.digest()
    with pytest.raises(InputError, match="has 2 axes, --spacing 3 numbers"):
        pick([spec], spacing=(1, 2, 3))

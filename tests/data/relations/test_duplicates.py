from __future__ import annotations

import errno
import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data import speckle_frames as made

from bustle.core.cache_folder import cache_directory
from bustle.core.errors import InputError
from bustle.core.types import Case
from bustle.data.readers import busi, folder
from bustle.data.relations import duplicates
from bustle.data.relations.duplicates import compare_frames, groups_of_pairs, related_frames
from bustle.data.relations.frame_features import frame_features
from bustle.data.relations.shelved_frames import ShelvedFrames
from bustle.data.sources import open_sources

COPIES = {
    "crop": made.crop,
    "smaller": lambda image: made.rescale(image, 0.6),
    "larger": lambda image: made.rescale(image, 1.5),
    "stretched": lambda image: cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA),
    "brighter": made.brighten,
    "compressed": made.jpeg,
    "annotated": made.annotate,
    "mirrored": made.mirror,
    "all at once": lambda image: made.annotate(made.jpeg(made.rescale(made.brighten(made.crop(image)), 1.2)), "RT"),
}


def copy_groups(cases: Sequence[Case]) -> tuple[tuple[str, ...], ...]:
    return groups_of_pairs(cases, related_frames(cases), relations=duplicates.COPIES)


def groups_of(images: dict[str, np.ndarray]) -> set[frozenset[str]]:
    cases = [made.memory_case(name, image) for name, image in images.items()]
    return {frozenset(n.split("/")[1] for n in group) for group in copy_groups(cases)}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_a_generated_frame_is_found(kind: str) -> None:
    images = {f"other {seed}": made.frame(seed, seed) for seed in range(3)}
    images |= {"original": made.frame(7, 7), "copy": COPIES[kind](made.frame(7, 7))}
    assert groups_of(images) == {frozenset({"original", "copy"})}


def test_equal_pixels_are_identical_whatever_the_picture() -> None:
    blank = np.zeros((40, 50), np.uint8)
    cases = [made.memory_case("a", blank), made.memory_case("b", blank), made.memory_case("c", blank + 9)]
    (pair,) = related_frames(cases)
    assert (pair.first, pair.second, pair.relation) == ("made/a", "made/b", "identical")


def test_other_frames_of_the_same_tissue_are_no_copies() -> None:
    assert groups_of({f"frame {seed}": made.frame(3, seed) for seed in range(5)}) == set()


def test_the_next_frame_of_a_cine_loop_is_the_same_scene_but_no_copy() -> None:
    """Most of the speckle persists from frame to frame, some of it has changed."""
    first, second = made.frame(3, 1).astype(float), made.frame(3, 2).astype(float)
    neighbour = np.clip(0.72 * first + 0.28 * second, 0, 255).astype(np.uint8)
    cases = [made.memory_case("a", first.astype(np.uint8)), made.memory_case("b", neighbour)]
    relations = [pair.relation for pair in related_frames(cases)]
    assert relations == ["same-scene"]
    assert copy_groups(cases) == ()


def test_the_same_burned_in_marks_make_no_copies() -> None:
    assert groups_of({f"frame {seed}": made.annotate(made.frame(seed, seed)) for seed in range(6)}) == set()


def test_two_crops_of_one_frame_are_joined_with_it() -> None:
    image = made.frame(5, 5, height=360, width=480)
    parts = {"whole": image, "left": image[:, :320].copy(), "right": image[:, 160:].copy(), "other": made.frame(6, 6)}
    assert groups_of(parts) == {frozenset({"whole", "left", "right"})}


def test_the_order_of_the_cases_does_not_matter() -> None:
    images = {"a": made.frame(1, 1), "b": made.crop(made.frame(1, 1)), "c": made.frame(2, 2)}
    assert groups_of(images) == groups_of(dict(reversed(images.items())))


def test_results_are_remembered_by_the_content_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = {"a": made.frame(1, 1), "b": made.jpeg(made.frame(1, 1)), "c": made.frame(2, 2)}
    labels = dict.fromkeys(images, "benign")
    root = made.write_folder_set(tmp_path / "set", images, labels, {})
    cases = folder.read(root, name="set", options={}).cases
    assert copy_groups(cases) == (("set/a", "set/b"),)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the frames were compared again")

    with monkeypatch.context() as patch:
        patch.setattr(duplicates, "candidate_pairs", refuse)
        renamed = folder.read(root, name="renamed", options={}).cases
        assert copy_groups(renamed) == (("renamed/a", "renamed/b"),)
        with pytest.raises(AssertionError):
            copy_groups(cases[:2])
    made.write_folder_set(root, {"c": made.brighten(made.frame(1, 1))}, labels, {})
    cases = folder.read(root, name="set", options={}).cases
    assert copy_groups(cases) == (("set/a", "set/b", "set/c"),)


def test_generated_cases_are_remembered_by_their_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    def phantoms(seed: int) -> tuple[Case, ...]:
        return open_sources([f"phantom:?cases=3&size=64&seed={seed}"]).cases

    expected = related_frames(phantoms(0))
    monkeypatch.setattr(duplicates, "each_sample", lambda *_, **__: pytest.fail("the frames were looked at again"))
    assert related_frames(phantoms(0)) == expected
    with pytest.raises(pytest.fail.Exception):
        related_frames(phantoms(1))


def test_a_damaged_memory_is_replaced(tmp_path: Path) -> None:
    images = {"a": made.frame(1, 1), "b": made.frame(1, 1)}
    root = made.write_folder_set(tmp_path / "set", images, dict.fromkeys(images, "benign"), {})
    cases = folder.read(root, name="set", options={}).cases
    expected = copy_groups(cases)
    for path in (cache_directory() / "related-frames").glob("*.json"):
        path.write_text('{"pairs": [[0, 99, "copy"]]}', encoding="utf-8")
    assert copy_groups(cases) == expected == (("set/a", "set/b"),)


def test_broken_files_are_passed_over() -> None:
    def broken() -> None:
        raise InputError("is damaged", remedy="restore it")

    good = made.memory_case("a", made.frame(1, 1)), made.memory_case("b", made.frame(1, 1))
    bad = Case("made/c", "made", broken)  # type: ignore[arg-type]
    assert copy_groups([bad, *good]) == (("made/a", "made/b"),)
    assert copy_groups([bad]) == ()
    assert copy_groups([]) == ()


SAMPLE = [("benign", 433), ("malignant", 145), ("benign", 435), ("benign", 437), ("normal", 34), ("benign", 42)]
SAMPLE += [("benign", 131), ("malignant", 51), ("malignant", 27), ("malignant", 28), ("benign", 3), ("normal", 121)]


def test_known_groups_of_busi(real_data: Path) -> None:
    """The byte-identical pair, other cross-class copies, one scene that is no copy, and frames with equal marks."""
    root = real_data / "busi" / "Dataset_BUSI_with_GT"
    wanted = {f"busi/{label} ({number})" for label, number in SAMPLE}
    cases = [case for case in busi.read(root, name="busi", options={}).cases if case.case_id in wanted]
    shelf = ShelvedFrames()
    for case in cases:
        shelf.put(case.case_id, frame_features(case.load().image))
    pairs = compare_frames(cases, shelf)
    copies = groups_of_pairs(cases, pairs, relations=duplicates.COPIES)
    assert {frozenset(group) for group in copies} == {
        frozenset({"busi/benign (433)", "busi/malignant (145)"}),
        frozenset({"busi/benign (437)", "busi/normal (34)"}),
        frozenset({"busi/benign (42)", "busi/benign (131)", "busi/malignant (51)"}),
    }
    assert [p.relation for p in pairs if {p.first, p.second} == {"busi/benign (433)", "busi/malignant (145)"}] == [
        "identical"
    ]
    scenes = {frozenset((p.first, p.second)) for p in pairs if p.relation == "same-scene"}
    assert frozenset({"busi/malignant (27)", "busi/malignant (28)"}) in scenes
    assert not any({"busi/benign (3)", "busi/normal (121)"} == scene for scene in scenes)


def test_a_full_temporary_folder_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch):
    class Full(io.BytesIO):
        def write(self, content: object, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(InputError, match=r"no space left on the disk.*TMPDIR"):
        ShelvedFrames().put("a", None)  # type: ignore[arg-type]


def test_degraded_copies_of_real_frames(real_data: Path) -> None:
    """Eight unrelated BUSI frames, each with a copy that was cropped, rescaled, brightened, compressed and marked."""
    root = real_data / "busi" / "Dataset_BUSI_with_GT" / "benign"
    images = {}
    for number, factor in zip((5, 16, 77, 150, 213, 262, 301, 350), itertools.cycle((0.6, 0.9, 1.5)), strict=False):
        image = cv2.imread(str(root / f"benign ({number}).png"), cv2.IMREAD_GRAYSCALE).astype(np.uint8)
        images[f"{number}"] = image
        images[f"{number} copy"] = made.annotate(made.jpeg(made.rescale(made.brighten(made.crop(image)), factor), 60))
    assert groups_of(images) == {frozenset({name, f"{name} copy"}) for name in images if "copy" not in name}


@pytest.mark.full
def test_all_of_busi(real_data: Path) -> None:
    root = real_data / "busi" / "Dataset_BUSI_with_GT"
    cases = busi.read(root, name="busi", options={}).cases
    groups = copy_groups(cases)
    labels = {case.case_id: case.label for case in cases}
    conflicting = [group for group in groups if len({labels[name] for name in group}) > 1]
    assert (len(groups), sum(map(len, groups)), len(conflicting)) == (148, 327, 8)


def test_identical_frames_are_compared_with_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    match = duplicates.match_frames
    monkeypatch.setattr(duplicates, "match_frames", lambda a, b: compared.append(0) or match(a, b))
    frame = made.frame(7, 7)
    images = {f"same {number}": frame for number in range(30)} | {"crop": made.crop(frame), "other": made.frame(1, 1)}
    assert groups_of(images) == {frozenset(images) - {"other"}}
    assert len(compared) <= 6, "two pairs with the crop and with the other, straight and mirrored"

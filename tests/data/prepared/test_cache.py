"""Prepared cases are decoded once, checked when opened, and made again when anything has changed."""

from __future__ import annotations

import dataclasses
import errno
import json
import multiprocessing
import os
import shutil
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.types import Box, Case, Geometry, Sample
from bustle.data.content_hashes import content_hashes
from bustle.data.prepared import cache_building
from bustle.data.prepared.cache import CaseCache
from bustle.data.prepared.grid import grid_for

SECTION = ImageData(size=(32, 48))
DECODED: list[str] = []


def load_png(case_id: str, path: Path, kind: str) -> Sample:
    DECODED.append(case_id)
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError("is not an image", remedy="restore it", path=path)
    image = pixels[None] if pixels.ndim == 2 else pixels[..., ::-1].transpose(2, 0, 1).copy()
    size = image.shape[1:]
    instances = np.zeros(size, np.uint8)
    instances[10:30, 10:40], instances[40:50, 50:60] = 1, 2
    return Sample(
        case_id=case_id,
        source="made",
        image=image,
        geometry=Geometry(size, spacing=(0.1, 0.2)),
        lesion_mask=None if kind == "bare" else instances,
        gland_mask=np.ones(size, bool) if kind == "gland" else None,
        boxes=(Box(10, 10, 30, 40),) if kind == "boxed" else None,
    )


def make_cases(
    folder: Path, kinds=("plain", "bare", "boxed"), *, colour=(), labels=("benign", "malignant", "normal")
):
    folder.mkdir(exist_ok=True)
    cases = []
    for number, kind in enumerate(kinds):
        path = folder / f"{number}.png"
        shape = (64, 96, 3) if number in colour else (64, 96)
        cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, shape, np.uint8))
        cases.append(
            Case(
                case_id=f"made/{number}",
                source="made",
                load=partial(load_png, f"made/{number}", path, kind),
                files=(path,),
                label=("benign", "malignant", "normal")[number % 3],
                patient_id=f"p{number}",
            )
        )
    return cases


def open_cache(cases, tmp_path, section=SECTION):
    return CaseCache.open(cases, section=section, directory=tmp_path / "cache")


def decoded_while_opening(cases, tmp_path, section=SECTION):
    before = len(DECODED)
    open_cache(cases, tmp_path, section)
    return len(DECODED) - before


def cache_folder(tmp_path):
    (folder,) = (tmp_path / "cache").glob("prepared-*")
    return folder


def test_arrays_flags_and_annotations(tmp_path):
    cache = open_cache(make_cases(tmp_path / "data"), tmp_path)
    assert len(cache) == 3
    assert cache.images.shape == (3, 1, 32, 48)
    assert cache.images.dtype == cache.lesion_masks.dtype == np.uint8
    assert isinstance(cache.images, np.memmap)
    assert cache.lesion_masks[0, 10, 15] == 1
    assert cache.lesion_masks[0, 22, 27] == 2
    assert not cache.lesion_masks[1].any()
    assert cache.has_mask.tolist() == [True, False, True]
    assert cache.has_box.tolist() == [False, False, True]
    assert cache.boxes == [[], [], [Box(5, 5, 15, 20)]]
    assert cache.labels.tolist() == [0, 1, -1]
    assert cache.has_label.tolist() == [True, True, False]
    assert not cache.has_gland.any()
    assert cache.gland_masks.shape == (3, 32, 48)
    assert not cache.gland_masks.any()
    assert cache.geometries[0].original_size == (64, 96)
    assert cache.geometries[0].spacing == (0.1, 0.2)
    assert cache.index_of("made/2") == 2
    assert cache.cases[1].patient_id == "p1"
    with pytest.raises(KeyError):
        cache.index_of("made/9")


def test_a_second_opening_decodes_nothing_and_gives_the_same(tmp_path):
    cases = make_cases(tmp_path / "data", ("plain", "gland", "boxed"))
    first = open_cache(cases, tmp_path)
    assert decoded_while_opening(cases, tmp_path) == 0
    second = open_cache(cases, tmp_path)
    assert np.array_equal(first.images, second.images)
    assert second.gland_masks[1].all()
    assert not second.gland_masks[0].any()
    assert first.cases == second.cases


def test_one_coloured_case_makes_all_three_channels(tmp_path):
    cases = make_cases(tmp_path / "data", colour=(1,))
    cache = open_cache(cases, tmp_path)
    grey = open_cache(cases[:1], tmp_path)
    assert cache.images.shape == (3, 3, 32, 48)
    assert (cache.images[0] == grey.images[0, 0]).all()
    assert (cache.images[1, 0] != cache.images[1, 1]).any()
    rgb = cv2.imread(str(tmp_path / "data" / "1.png"))[..., ::-1]
    assert abs(cache.images[1, 0].mean() - rgb[..., 0].mean()) < 0.5


def change_pixels(cases, tmp_path):
    pixels = np.random.default_rng(77).integers(0, 256, (64, 96), np.uint8)
    cv2.imwrite(str(cases[0].files[0]), pixels)
    return cases


def change_label(cases, tmp_path):
    return [dataclasses.replace(cases[0], label="normal"), *cases[1:]]


def read_the_mask_as_a_gland(cases, tmp_path):
    return [dataclasses.replace(cases[0], has_gland=True), *cases[1:]]


def leave_one_out(cases, tmp_path):
    return cases[1:]


@pytest.mark.parametrize("change", [change_pixels, change_label, read_the_mask_as_a_gland, leave_one_out])
def test_stale_caches_are_made_again(tmp_path, change):
    cases = make_cases(tmp_path / "data")
    open_cache(cases, tmp_path)
    changed = change(cases, tmp_path)
    assert decoded_while_opening(changed, tmp_path) == len(changed)
    cache = open_cache(changed, tmp_path)
    assert cache.labels[0] == {"benign": 0, "malignant": 1}.get(changed[0].label, -1)


@pytest.mark.parametrize("change", [{"size": (64, 64)}, {"resize": "letterbox"}, {"multi_mask": "first"}])
def test_another_preparation_has_another_cache(tmp_path, change):
    cases = make_cases(tmp_path / "data")
    open_cache(cases, tmp_path)
    section = dataclasses.replace(SECTION, **change)
    assert decoded_while_opening(cases, tmp_path, section) == 3
    assert decoded_while_opening(cases, tmp_path) == 0


def test_normalisation_and_classes_share_one_cache(tmp_path):
    cases = make_cases(tmp_path / "data")
    open_cache(cases, tmp_path)
    section = dataclasses.replace(SECTION, mean=(0.5,) * 3, classes=("normal", "benign", "malignant"))
    assert decoded_while_opening(cases, tmp_path, section) == 0
    assert open_cache(cases, tmp_path, section).labels.tolist() == [1, 2, 0]


def test_the_first_of_several_masks(tmp_path):
    cache = open_cache(make_cases(tmp_path / "data"), tmp_path, dataclasses.replace(SECTION, multi_mask="first"))
    assert np.unique(cache.lesion_masks[0]).tolist() == [0, 1]


def flip_a_byte(folder):
    path = folder / "lesion_masks.npy"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def flip_a_byte_in(path):
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(0, 0))  # a clock that stands still would not tell


def cut_short(folder):
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-5])


def lose_an_array(folder):
    (folder / "images.npy").unlink()


def break_the_header(folder):
    path = folder / "images.npy"
    path.write_bytes(b"\0" * 40 + path.read_bytes()[40:])


def edit_the_index(folder):
    path = folder / "index.json"
    path.write_text(path.read_text().replace('"has_mask": true', '"has_mask": false'))


def garble_the_index(folder):
    (folder / "index.json").write_text('{"checksum": ')


def lose_the_index(folder):
    (folder / "index.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [flip_a_byte, cut_short, lose_an_array, break_the_header, edit_the_index, garble_the_index, lose_the_index],
)
def test_damaged_caches_are_made_again(tmp_path, damage):
    cases = make_cases(tmp_path / "data")
    before = open_cache(cases, tmp_path).images.copy()
    damage(cache_folder(tmp_path))
    assert decoded_while_opening(cases, tmp_path) == 3
    assert decoded_while_opening(cases, tmp_path) == 0
    assert np.array_equal(open_cache(cases, tmp_path).images, before)
    assert not list((tmp_path / "cache").glob(".preparing-*"))


@pytest.mark.parametrize("name", ["images", "lesion_masks"])
@pytest.mark.parametrize("touch", [lambda file: os.truncate(file, 50), flip_a_byte_in], ids=["cut", "overwritten"])
def test_a_cache_that_is_touched_while_it_is_in_use_is_told(tmp_path, name, touch):
    cases = make_cases(tmp_path / "data")
    cache = open_cache(cases, tmp_path)
    cache.check()
    touch(cache_folder(tmp_path) / f"{name}.npy")
    with pytest.raises(InputError, match=rf"{name}\.npy: was changed while it was in use; keep other programs away"):
        cache.check()
    assert decoded_while_opening(cases, tmp_path) == 3
    with pytest.raises(InputError, match="was changed"):
        cache.check()  # its own files, not those that were made since


def test_a_cache_that_is_made_anew_by_another_process_stays_in_use(tmp_path):
    cases = make_cases(tmp_path / "data")
    cache = open_cache(cases, tmp_path)
    before = cache.images.copy()
    shutil.rmtree(cache_folder(tmp_path))
    open_cache(cases, tmp_path)
    cache.check()
    assert np.array_equal(cache.images, before)


def generated(seed: int) -> Sample:
    DECODED.append(str(seed))
    image = np.random.default_rng(seed).integers(0, 256, (1, 40, 40), np.uint8)
    return Sample(case_id="phantom/0", source="phantom", image=image, geometry=Geometry((40, 40)))


def test_generated_cases_are_known_by_their_metadata(tmp_path):
    def case(seed):
        return Case(case_id="phantom/0", source="phantom", load=partial(generated, seed), metadata={"seed": seed})

    assert decoded_while_opening([case(1)], tmp_path) == 1
    assert decoded_while_opening([case(1)], tmp_path) == 0
    assert decoded_while_opening([case(2)], tmp_path) == 1


def test_a_broken_image_is_named_and_leaves_nothing_behind(tmp_path):
    cases = make_cases(tmp_path / "data")
    cases[1].files[0].write_bytes(b"no image")
    with pytest.raises(InputError, match=r"1\.png"):
        open_cache(cases, tmp_path)
    assert not list((tmp_path / "cache").glob("*prepar*"))


def test_a_missing_file_is_named(tmp_path):
    cases = make_cases(tmp_path / "data")
    cases[2].files[0].unlink()
    with pytest.raises(InputError, match=r"2\.png"):
        open_cache(cases, tmp_path)


def test_a_full_disk_is_one_clear_error(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_building, "_write_array", full)
    with pytest.raises(InputError, match=r"no space left.*BUSTLE_CACHE=FOLDER"):
        open_cache(make_cases(tmp_path / "data"), tmp_path)
    assert not list((tmp_path / "cache").glob("*prepar*"))


def test_a_cache_folder_that_cannot_be_made_is_told_with_the_way_out(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(InputError, match=r"in the way.*BUSTLE_CACHE=FOLDER"):
        open_cache(make_cases(tmp_path / "data"), tmp_path)


VOLUMES = PatchData(size=(32, 32, 32), spacing_mm=0.5, channels=1, mean=(0.0,), std=(1.0,))


def made_volume(number: int, spacing: tuple[float, ...]) -> Sample:
    """Sizes differ from volume to volume; volume 1 has no mask."""
    size = (10 + number, 70, 30)
    DECODED.append(str(number))
    instances = np.zeros(size, np.uint8)
    instances[2:6, 20:50, 10:20] = 1
    return Sample(
        case_id=f"made/{number}",
        source="made",
        image=np.random.default_rng(number).integers(0, 256, (1, *size), np.uint8),
        geometry=Geometry(size, spacing=spacing, origin=(1.0, 2.0, 3.0)),
        lesion_mask=None if number == 1 else instances,
    )


def make_volumes(spacing: tuple[float, ...] = (0.5, 0.07, 0.2)) -> list[Case]:
    return [
        Case(
            case_id=f"made/{number}",
            source="made",
            load=partial(made_volume, number, spacing),
            label="malignant",
            metadata={"number": number},
        )
        for number in range(3)
    ]


def test_volumes_of_several_sizes_lie_one_after_the_other(tmp_path):
    cache = open_cache(make_volumes(), tmp_path, VOLUMES)
    assert [image.shape for image in cache.images] == [(1, 10 + number, 10, 12) for number in range(3)]
    assert [mask.shape for mask in cache.lesion_masks] == [(10 + number, 10, 12) for number in range(3)]
    assert [bool(mask.any()) for mask in cache.lesion_masks] == [True, False, True]
    assert all(not gland.any() and gland.shape == (10 + i, 10, 12) for i, gland in enumerate(cache.gland_masks))
    grid = grid_for(cache.geometries[2], section=VOLUMES)
    assert np.array_equal(cache.images[2], grid.prepare(made_volume(2, (0.5, 0.07, 0.2)).image))
    assert cache.geometries[2].origin == (1.0, 2.0, 3.0)
    assert decoded_while_opening(make_volumes(), tmp_path, VOLUMES) == 0
    larger_patches = dataclasses.replace(VOLUMES, size=(64, 32, 64))
    assert decoded_while_opening(make_volumes(), tmp_path, larger_patches) == 0


def test_no_cases_and_wrong_dimensions_are_refused(tmp_path):
    with pytest.raises(InputError, match="no cases"):
        open_cache([], tmp_path)
    with pytest.raises(InputError, match=r"0.png: is an image, the model takes volumes"):
        open_cache(make_cases(tmp_path / "data"), tmp_path, VOLUMES)
    with pytest.raises(InputError, match=r"is a volume, the model takes images"):
        open_cache(make_volumes(), tmp_path)


def open_in_another_process(cases, tmp_path):
    return open_cache(cases, tmp_path).images.sum()


def test_processes_that_build_the_same_cache_at_once_do_not_disturb_each_other(tmp_path):
    cases = make_cases(tmp_path / "data")
    with multiprocessing.get_context("fork").Pool(3) as pool:
        sums = pool.starmap(open_in_another_process, [(cases, tmp_path)] * 6, chunksize=1)
    assert len(set(sums)) == 1
    assert decoded_while_opening(cases, tmp_path) == 0
    assert not list((tmp_path / "cache").glob(".preparing-*"))


def test_a_table_of_many_cases_is_read_once(tmp_path, monkeypatch):
    table = tmp_path / "labels.csv"
    table.write_text("case_id,label")
    read = []
    monkeypatch.setattr("bustle.data.content_hashes.sha256_of_file", lambda file: read.append(file) or "0")
    content_hashes([table] * 5, directory=tmp_path / "cache")
    assert read == [table]


def test_file_hashes_are_remembered_and_follow_changes(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    monkeypatch.setattr("bustle.data.content_hashes.YOUNG_NS", -(10**12))
    first = content_hashes([path], directory=tmp_path / "cache")
    assert len(json.loads((tmp_path / "cache" / "content-hashes.json").read_text())) == 1
    monkeypatch.setattr("bustle.data.content_hashes.sha256_of_file", lambda file: pytest.fail("read again"))
    assert content_hashes([path], directory=tmp_path / "cache") == first
    monkeypatch.undo()
    path.write_bytes(b"two")
    assert content_hashes([path], directory=tmp_path / "cache") != first
    (tmp_path / "cache" / "content-hashes.json").write_text("[1]")
    path.write_bytes(b"one")
    assert content_hashes([path], directory=tmp_path / "cache") == first


def test_real_cases_keep_their_lesions(real_data, tmp_path):
    from bustle.data.sources import open_sources

    cases = open_sources([f"breast:{real_data / 'breast'}"]).cases[:6]
    for resize in ("stretch", "letterbox"):
        cache = open_cache(cases, tmp_path, ImageData(resize=resize))
        for number, case in enumerate(cases):
            native = case.load().lesion_mask > 0
            geometry = cache.geometries[number]
            grid = grid_for(geometry, section=ImageData(resize=resize))
            back = grid.map_to_original((cache.lesion_masks[number] > 0).astype(np.float32)) > 0.5
            assert geometry.original_size == native.shape
            assert (native & back).sum() / max((native | back).sum(), 1) > 0.95 or not native.any()

"""Phantom ABUS volumes: who is planned, the grid, lesions against the paper's facts, files and the reader."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bustle.cli import data_phantom
from bustle.core.errors import InputError
from bustle.core.types import Sample
from bustle.data.phantom import volume_dataset
from bustle.data.phantom.volume_anatomy import ProbePosition, SmoothVolume, voxel_grid
from bustle.data.phantom.volume_cases import phantom_volume, volume_anatomy
from bustle.data.phantom.volume_dataset import write_volume_set
from bustle.data.phantom.volume_lesions import DEPTH_MM, LesionBody, look_up
from bustle.data.phantom.volume_plan import KINDS, plan_volume, plan_volumes
from bustle.data.sources import open_sources
from bustle.io.volume import read_header

COARSE = 8


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [phantom_volume(index, seed=0, coarse=COARSE) for index in range(6)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "volumes"
    write_volume_set(out, volumes=4, seed=0, coarse=16)
    return out


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# The set of Zhou et al. 2021: 170 volumes of 107 patients, 119 malignant, 95 lesions of at most 1 cm3.


@pytest.mark.parametrize("seed", [0, 7])
def test_170_volumes_have_the_papers_patients_and_classes(seed: int) -> None:
    plans = plan_volumes(170, seed=seed)
    assert len({plan.patient_id for plan in plans}) == 107
    assert sum(plan.patient.label == "malignant" for plan in plans) == 119
    assert len({plan.stem for plan in plans}) == 170
    for plan in plans:
        assert plan.patient.lesion_kind in KINDS[plan.patient.label][0]
    by_patient: dict[str, list[int]] = {}
    for plan in plans:
        by_patient.setdefault(plan.patient_id, []).append(plan.view)
    assert all(views == list(range(1, len(views) + 1)) for views in by_patient.values())
    assert max(map(len, by_patient.values())) == 2


def test_a_plan_does_not_depend_on_how_many_are_made() -> None:
    assert plan_volumes(40, seed=3)[17] == plan_volume(17, seed=3)
    assert plan_volume(17, seed=4) != plan_volume(17, seed=3)


def test_lesion_sizes_follow_the_paper() -> None:
    """Fig. 4 and its text: 95 of 170 lesions of at most 1 cm3, from 0.026 to 18.022 cm3."""
    sizes = np.array([plan_volume(index, seed=1).patient.lesion_mm3 for index in range(0, 3000, 2)])
    assert np.mean(sizes <= 1000) == pytest.approx(95 / 170, abs=0.03)
    assert 26 <= sizes.min() < 60
    assert 12_000 < sizes.max() <= 18_022
    assert abs(float(np.mean(((np.log(sizes) - np.log(sizes).mean()) / np.log(sizes).std()) ** 3))) < 0.2


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (3, -1)])
def test_empty_set_and_negative_seed_are_refused(count: int, seed: int) -> None:
    with pytest.raises(InputError):
        plan_volumes(count, seed=seed)


# Grid and fields


def test_grid() -> None:
    full, half = voxel_grid(1), voxel_grid(2)
    assert full.size == (318, 512, 300)
    assert full.spacing == (0.5, 0.07, 0.2)
    assert half.size == (159, 256, 150)
    assert half.spacing == (1.0, 0.14, 0.4)
    assert full.index_of(full.s(41), 0.035, 0.1) == pytest.approx((41, 0, 150))
    for coarse in (0, 17):
        with pytest.raises(InputError, match="times as large"):
            voxel_grid(coarse)


def test_smooth_field_is_the_same_on_every_grid_and_in_every_view() -> None:
    def field(coarse: int, at: ProbePosition) -> SmoothVolume:
        return SmoothVolume(np.random.default_rng(5), voxel_grid(coarse), at, depth_mm=3.0, width_mm=6.0)

    fine, coarse = field(2, ProbePosition(0, 0)), field(6, ProbePosition(0, 0))
    np.testing.assert_allclose(fine(4.0)[1:255:3, 1:150:3], coarse(4.0)[:85], atol=2e-3)
    moved = field(2, ProbePosition(3.0, 4.0))
    np.testing.assert_allclose(moved(1.0)[:, :-10], fine(4.0)[:, 10:], atol=2e-3)
    slices = np.stack([coarse(float(s)) for s in np.arange(-70, 70, 5)])
    assert slices.mean() == pytest.approx(0, abs=0.1)
    assert slices.std() == pytest.approx(1, abs=0.1)


# Lesions


def test_lesions_have_their_volume_and_stay_inside_every_view() -> None:
    half_s, half_x = voxel_grid(1).half_mm
    for index in range(0, 60, 2):
        plan = plan_volume(index, seed=2)
        anatomy = volume_anatomy(plan)
        lesion, at = anatomy.lesion, anatomy.at
        (before_s, beyond_s), (above, below), (before_x, beyond_x) = lesion.reach_mm
        assert lesion.z - above > anatomy.layers.character.skin_mm
        assert lesion.z + below < DEPTH_MM - 2
        assert -half_s < lesion.s - at.s - before_s < lesion.s - at.s + beyond_s < half_s
        assert -half_x < lesion.x - at.x - before_x < lesion.x - at.x + beyond_x < half_x
        assert np.all(lesion.radius >= lesion.core_radius)
        assert counted_volume(lesion) == pytest.approx(plan.patient.lesion_mm3, rel=0.02)


def counted_volume(lesion: LesionBody) -> float:
    """Points of a fine grid around the lesion that lie nearer to its centre than its outline."""
    axes = [
        np.linspace(centre - reach[0] - 0.1, centre + reach[1] + 0.1, 48, dtype=np.float32)
        for centre, reach in zip((lesion.s, lesion.z, lesion.x), lesion.reach_mm, strict=True)
    ]
    inside = 0
    for s in axes[0]:
        z, x = np.meshgrid(axes[1], axes[2], indexing="ij")
        distance, polar, azimuth = lesion.directions(np.full_like(z, s), z, x)
        inside += int(np.sum(distance < look_up(lesion.radius, polar, azimuth)))
    return inside * float(np.prod([axis[1] - axis[0] for axis in axes]))


def test_classes_can_be_told_apart_by_shape_but_not_always() -> None:
    """Taller than wide, and with spicules or corners: the chance that a malignant lesion is more so is not 1."""
    tall: dict[str, list[float]] = {"benign": [], "malignant": []}
    for index in range(120):
        plan = plan_volume(index, seed=5)
        if plan.view == 1:
            s, z, x = (sum(reach) for reach in volume_anatomy(plan).lesion.reach_mm)
            tall[plan.patient.label].append(z / np.sqrt(s * x))
    more = np.array(tall["malignant"])[:, None] > np.array(tall["benign"])[None]
    assert 0.65 < more.mean() < 0.95


# Volumes


def test_same_seed_same_bytes_whatever_was_made_before(samples: list[Sample]) -> None:
    again = phantom_volume(5, seed=0, coarse=COARSE)
    np.testing.assert_array_equal(again.image, samples[5].image)
    np.testing.assert_array_equal(np.asarray(again.lesion_mask), np.asarray(samples[5].lesion_mask))
    assert again.provenance == samples[5].provenance
    assert not np.array_equal(phantom_volume(5, seed=1, coarse=COARSE).image, samples[5].image)


def test_samples_are_whole(samples: list[Sample]) -> None:
    grid = voxel_grid(COARSE)
    for index, sample in enumerate(samples):
        assert sample.image.shape == (1, *grid.size)
        assert sample.image.dtype == np.uint8
        assert sample.geometry.original_size == grid.size
        assert sample.geometry.spacing == grid.spacing
        assert sample.lesion_labels == (sample.label,)
        mask = sample.lesion_mask
        assert mask is not None
        assert mask.dtype == np.uint8
        assert np.unique(mask).tolist() == [0, 1]
        regions, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        assert np.bincount(regions.ravel())[1:].max() > 0.95 * mask.sum(), count
        volume = float(mask.sum() * np.prod(grid.spacing))
        assert volume == pytest.approx(plan_volume(index, seed=0).patient.lesion_mm3, rel=0.25)
        centre = ndimage.center_of_mass(mask)
        np.testing.assert_allclose(centre, sample.provenance["lesion_centre"], atol=2)
        assert mask[tuple(round(at) for at in sample.provenance["lesion_centre"])] == 1


def test_lesions_are_dark_and_volumes_use_the_grey_scale(samples: list[Sample]) -> None:
    contrasts = []
    for sample in samples:
        image, mask = sample.image[0].astype(float), np.asarray(sample.lesion_mask) > 0
        assert 40 < image.mean() < 130
        assert image.std() > 25
        sampling = [step / 0.2 for step in sample.geometry.spacing or ()]
        distance = ndimage.distance_transform_edt(~mask, sampling=sampling)
        rows = np.any(mask, axis=(0, 2))[None, :, None]
        around = (distance > 5) & (distance < 25) & rows
        contrasts.append(image[around].mean() - image[mask].mean())
    assert np.mean(contrasts) > 15
    assert np.mean(np.array(contrasts) > 0) > 0.8


def test_depth_is_the_second_axis(samples: list[Sample]) -> None:
    """The skin is bright, the chest wall dark, and neighbouring slices are alike."""
    for sample in samples:
        image = sample.image[0].astype(float)
        along_depth = image.mean(axis=(0, 2))
        assert along_depth[0] > 1.2 * along_depth[-8:].mean()
    smooth = ndimage.gaussian_filter(samples[0].image[0].astype(float), (0, 2, 2))
    smooth -= smooth.mean(axis=(0, 2), keepdims=True)
    assert np.corrcoef(smooth[:-1].ravel(), smooth[1:].ravel())[0, 1] > 0.5


def test_the_nipple_casts_a_shadow(samples: list[Sample]) -> None:
    """Darker below the nipple than the surroundings at the same depths."""
    grid, darker = voxel_grid(COARSE), []
    for index, sample in enumerate(samples):
        at = volume_anatomy(plan_volume(index, seed=0)).at
        slice_, _, lateral = (round(position) for position in grid.index_of(-at.s, 0, -at.x))
        image = sample.image[0, :, 18:45].astype(float)
        darker.append(image.mean() - image[slice_, :, lateral - 1 : lateral + 2].mean())
    assert np.mean(darker) > 15


# Files, reader and command


def test_written_set_reads_as_generated(written: Path) -> None:
    with (written / "labels.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["case_id", "label", "patient_id", "view", "volume_mm3", *volume_dataset.CENTRE]
    plans = plan_volumes(4, seed=0)
    assert [row["case_id"] for row in rows] == [plan.stem for plan in plans]
    assert [float(row["volume_mm3"]) for row in rows] == [plan.patient.lesion_mm3 for plan in plans]
    stored = open_sources([f"folder:{written}"])
    assert stored.findings == ()
    by_stem = {case.case_id.split("/")[1]: case for case in stored.cases}
    for case in open_sources(["phantom:?volumes=4&seed=0&coarse=16"]).cases:
        other = by_stem[case.case_id.split("/")[1]]
        assert (other.label, other.patient_id, other.has_mask) == (case.label, case.patient_id, True)
        assert other.spacing == pytest.approx(case.spacing)
        one, two = other.load(), case.load()
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(np.asarray(one.lesion_mask), np.asarray(two.lesion_mask))
        assert one.geometry.origin == two.geometry.origin
        assert one.geometry.direction == two.geometry.direction


def test_interrupted_run_continues(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, made = tmp_path / "set", []

    def make(index: int, *, seed: int, coarse: int) -> Sample:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(index)
        return phantom_volume(index, seed=seed, coarse=coarse)

    monkeypatch.setattr(volume_dataset, "phantom_volume", make)
    with pytest.raises(KeyboardInterrupt):
        write_volume_set(out, volumes=4, seed=0, coarse=16, workers=1)
    assert not (out / "labels.csv").exists()
    monkeypatch.setattr(volume_dataset, "phantom_volume", phantom_volume)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.nrrd")}
    assert before
    write_volume_set(out, volumes=4, seed=0, coarse=16)
    assert digests(out) == digests(written)
    assert all(path.stat().st_mtime_ns == written_at for path, written_at in before.items())
    with pytest.raises(InputError, match="other settings"):
        write_volume_set(out, volumes=4, seed=0, coarse=15)


def test_command(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> int:
        parser = ArgumentParser()
        data_phantom.add_arguments(parser)
        return data_phantom.run(parser.parse_args([*arguments, "--out", str(tmp_path / "set")]))

    assert run("--volumes", "4", "--coarse", "16", "--seed", "0") == 0
    assert digests(tmp_path / "set") == digests(written)
    assert "4 volumes of 2 patients" in capsys.readouterr().out
    with pytest.raises(InputError, match="--size is for"):
        run("--volumes", "2", "--size", "64")
    with pytest.raises(InputError, match="--coarse is for"):
        run("--cases", "2", "--coarse", "2")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("phantom:?volumes=2&cases=3", "both cases= and volumes="),
        ("phantom:?volumes=2&size=64", "size= does not go with volumes="),
        ("phantom:?cases=2&coarse=2", "coarse= does not go with cases="),
        ("phantom:?volumes=2&coarse=40", "40 times"),
    ],
)
def test_options_that_do_not_fit(spec: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        open_sources([spec])


@pytest.mark.full
def test_a_volume_of_full_size_is_written_within_a_gigabyte(tmp_path: Path):
    """The peak of a whole process that writes one 318 x 512 x 300 volume (49 million voxels) and its mask."""
    code = (
        "from benchmarks._process import peak_bytes; from bustle.cli.main import main; "
        f"code = main(['data', 'phantom', '--volumes', '1', '--out', {str(tmp_path / 'abus')!r}]); "
        "print(code, peak_bytes())"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    exit_code, peak = map(int, done.stdout.split()[-2:])
    assert exit_code == 0
    assert peak < 1_000_000_000
    (volume,) = (tmp_path / "abus" / "images").iterdir()
    assert read_header(volume).size == (318, 512, 300)

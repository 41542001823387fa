"""The scan: speckle statistics, beam, shadows, noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bustle.data.phantom.anatomy import PixelGrid
from bustle.data.phantom.imaging import (
    GREY_MAP_EXPONENT,
    beam_sigma_mm,
    display,
    envelope,
    pulse_sigma_mm,
    shadow_db,
    through_beam,
)
from bustle.data.phantom.plan import Device
from bustle.data.phantom.tissue import TissueMaps

GRID = PixelGrid(rows=512, columns=256, row_mm=0.09, column_mm=0.18)
DEVICE = Device(frequency_mhz=9, focus_mm=20, dynamic_range_db=60, gain_db=0, looks=1)
RAYLEIGH_SNR = np.sqrt(np.pi / (4 - np.pi))  # 1.913


def homogeneous() -> TissueMaps:
    zero = np.zeros((GRID.rows, GRID.columns), np.float32)
    return TissueMaps(zero.copy(), zero.copy(), zero.copy(), np.zeros(GRID.columns, np.float32))


def test_speckle_of_homogeneous_tissue_is_rayleigh() -> None:
    detected = envelope(homogeneous(), np.random.default_rng(3), grid=GRID, device=DEVICE)
    region = detected[40:-40, 16:-16]
    assert region.dtype == np.float32
    assert region.mean() / region.std() == pytest.approx(RAYLEIGH_SNR, rel=0.05)
    assert np.mean(region**2) == pytest.approx(1, rel=0.05)
    # Not only the ratio: a Rayleigh variable exceeds its root mean square with probability 1/e.
    assert np.mean(region > np.sqrt(np.mean(region**2))) == pytest.approx(np.exp(-1), abs=0.015)


def test_speckle_is_rayleigh_at_every_depth_although_the_beam_widens() -> None:
    detected = np.concatenate(
        [envelope(homogeneous(), np.random.default_rng(seed), grid=GRID, device=DEVICE) for seed in range(4)], axis=1
    )
    for rows in np.split(detected, 4):
        assert rows.mean() / rows.std() == pytest.approx(RAYLEIGH_SNR, rel=0.07)
        assert np.mean(rows**2) == pytest.approx(1, rel=0.1)


def test_compounding_smooths_speckle_as_averaging_of_independent_looks() -> None:
    detected = envelope(homogeneous(), np.random.default_rng(3), grid=GRID, device=replace(DEVICE, looks=3))
    assert detected.mean() / detected.std() == pytest.approx(RAYLEIGH_SNR * np.sqrt(3), rel=0.06)


def test_point_spread_function_has_the_declared_widths() -> None:
    for row in (64, 222, 450):
        scatterers = np.zeros((GRID.rows, GRID.columns), np.complex64)
        scatterers[row, 128] = 1
        power = np.abs(through_beam(scatterers, grid=GRID, device=DEVICE)) ** 2
        depth, lateral = np.indices(power.shape)
        # The power of a Gaussian of standard deviation s has s / sqrt 2; a pixel's extent adds 0.35 pixels.
        axial_sd = np.sqrt(2 * np.average((depth - row) ** 2, weights=power)) * GRID.row_mm
        lateral_sd = np.sqrt(2 * np.average((lateral - 128) ** 2, weights=power)) * GRID.column_mm
        expected = float(beam_sigma_mm(np.array([(row + 0.5) * GRID.row_mm]), DEVICE)[0])
        assert axial_sd == pytest.approx(np.hypot(pulse_sigma_mm(DEVICE), 0.35 * GRID.row_mm), rel=0.02)
        assert lateral_sd == pytest.approx(np.hypot(expected, 0.35 * GRID.column_mm), rel=0.03)
    widths = beam_sigma_mm(np.array([5.0, 20.0, 45.0]), DEVICE)
    assert widths[1] < widths[0] < widths[2]
    assert pulse_sigma_mm(replace(DEVICE, frequency_mhz=18)) == pytest.approx(pulse_sigma_mm(DEVICE) / 2)


def test_shadow_adds_up_along_the_beam_and_lies_below_what_casts_it() -> None:
    maps = homogeneous()
    maps.excess_db_per_mm[100:200, 100:150] = 1.0
    loss = shadow_db(maps, grid=GRID)
    assert loss[:90].max() == pytest.approx(0, abs=1e-3)
    assert loss[300:, 125] == pytest.approx(100 * GRID.row_mm, rel=0.01)
    assert np.abs(loss[:, :80]).max() < 0.01
    slanted = shadow_db(maps, grid=GRID, angle_degrees=9)
    bottom, expected_shift = slanted[-1], np.tan(np.radians(9)) * (GRID.rows - 150) * GRID.row_mm / GRID.column_mm
    centre = np.average(np.arange(GRID.columns), weights=np.clip(bottom, 0, None))
    assert abs(centre - 124.5) == pytest.approx(expected_shift, abs=2.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_attenuation_darkens_and_its_lack_brightens_what_lies_behind(sign: int) -> None:
    maps = homogeneous()
    maps.excess_db_per_mm[100:200, 100:150] = sign * 1.0
    detected = envelope(maps, np.random.default_rng(1), grid=GRID, device=DEVICE)
    behind, beside = detected[260:420, 108:142], detected[260:420, 20:80]
    change = 20 * np.log10(np.sqrt(np.mean(behind**2) / np.mean(beside**2)))
    assert change == pytest.approx(-sign * 100 * GRID.row_mm, abs=1.0)


def test_display_is_logarithmic_and_stays_in_range() -> None:
    levels = np.tile(10 ** (np.linspace(-100, 60, GRID.columns) / 20), (GRID.rows, 1)).astype(np.float32)
    grey = display(levels, np.random.default_rng(0), grid=GRID, device=DEVICE)
    assert grey.min() == 0
    assert grey.max() == 1
    steps = np.diff(grey[256] ** (1 / GREY_MAP_EXPONENT))
    inside = (grey[256, 1:] < 1) & (grey[256, :-1] > 0)
    assert steps[inside] == pytest.approx(np.full(inside.sum(), 160 / 255 / DEVICE.dynamic_range_db), rel=1e-3)

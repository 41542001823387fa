"""Forms the B-mode image: speckle, beam, attenuation, envelope, compounding, log compression.

The signal is computed at baseband, that is, as the demodulated echo: the random phases of the scatterers in one
resolution cell add up to a circular complex Gaussian number, and the pulse keeps only its envelope. This is exact
for fully developed speckle (Wagner et al. 1983, IEEE Trans. Sonics Ultrason. 30(3)) and needs no samples at the
carrier's rate; the carrier sets the pulse length, the beam width and the attenuation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from bustle.data.phantom.anatomy import Map, PixelGrid, SmoothField
from bustle.data.phantom.plan import Device
from bustle.data.phantom.tissue import TissueMaps

SPEED_OF_SOUND = 1.54  # mm per microsecond
PULSE_CYCLES = 2.0
F_NUMBER = 2.0
WHITE_DB, GREY_MAP_EXPONENT = 19.0, 1.7  # level shown as white, and the curve of the grey map
NOISE_DB, REVERBERATION_DB = -50.0, -34.0
STEERING_DEGREES = {1: (0.0,), 2: (-6.0, 6.0), 3: (-9.0, 0.0, 9.0)}


def pulse_sigma_mm(device: Device) -> float:
    """Axial standard deviation of the pulse's envelope: a Gaussian whose FWHM is `PULSE_CYCLES` half wavelengths."""
    return PULSE_CYCLES * SPEED_OF_SOUND / device.frequency_mhz / 2 / 2.355


def beam_sigma_mm(depth_mm: NDArray[np.floating], device: Device) -> NDArray[np.floating]:
    """Lateral standard deviation of the two-way beam: a Gaussian beam with its waist at the focus.

    FWHM at the focus is wavelength times f-number; away from it the width grows as a hyperbola.
    """
    wavelength = SPEED_OF_SOUND / device.frequency_mhz
    waist = wavelength * F_NUMBER / 2.355
    depth_of_field = 7 * wavelength * F_NUMBER**2
    return waist * np.sqrt(1 + ((depth_mm - device.focus_mm) / depth_of_field) ** 2)


def through_beam(scatterers: NDArray[np.complex64], *, grid: PixelGrid, device: Device) -> NDArray[np.complex64]:
    """Convolve a complex scatterer map `rows x columns` with the depth-dependent point-spread function.

    Axially a Gaussian pulse, laterally a Gaussian beam whose width differs from row to row; both have unit energy,
    so that uncorrelated scatterers of unit power give a signal of unit power at every depth.
    """
    pulse, beam = _responses(*scatterers.shape, grid, device)
    return _filtered(_filtered(scatterers, pulse, axis=0), beam, axis=1)


@lru_cache(maxsize=8)
def _responses(rows: int, columns: int, grid: PixelGrid, device: Device) -> tuple[Map, Map]:
    """Frequency responses of the pulse `rows x 1` and of the beam at every depth `rows x columns`."""
    pulse = _unit_energy_response(rows, np.array([pulse_sigma_mm(device) / grid.row_mm]))
    depth = (np.arange(rows) + 0.5) * grid.row_mm
    return pulse.T, _unit_energy_response(columns, beam_sigma_mm(depth, device) / grid.column_mm)


def _filtered(signal: NDArray[np.complex64], response: Map, *, axis: int) -> NDArray[np.complex64]:
    spectrum = np.asarray(scipy.fft.fft(signal, axis=axis))
    return np.asarray(scipy.fft.ifft(spectrum * response, axis=axis, overwrite_x=True), dtype=np.complex64)


def _unit_energy_response(length: int, sigma_pixels: NDArray[np.floating]) -> Map:
    """Frequency responses `n x length` of Gaussians; a pixel's own extent keeps the narrowest from vanishing."""
    sigma = np.sqrt(np.square(sigma_pixels) + 0.35**2)[:, None]
    response = np.exp(-2 * (np.pi * sigma * scipy.fft.fftfreq(length)[None]) ** 2)
    return (response / np.sqrt(np.mean(np.square(response), axis=1, keepdims=True))).astype(np.float32)


def envelope(
    maps: TissueMaps,
    rng: np.random.Generator,
    *,
    grid: PixelGrid,
    device: Device,
    scatterers: Callable[[tuple[int, ...]], NDArray[np.complex64]] | None = None,
) -> Map:
    """The detected echo amplitude `rows x columns` (1 = mean power of gland), averaged over the steered looks.

    `scatterers` gives fields of complex Gaussian numbers of unit power, one after the other; they are drawn from
    `rng` where it is None.
    """
    draw = partial(complex_normal, rng) if scatterers is None else scatterers
    amplitude = np.float32(10) ** (maps.echo_db / np.float32(20))
    phase = np.float32(2) * SmoothField(rng, depth_mm=1.5, width_mm=4.0)(*grid.coordinates())
    coherent = np.float32(0.7) * maps.surface * np.exp(np.complex64(1j) * phase)
    noise = through_beam(draw(amplitude.shape), grid=grid, device=device)
    total = np.zeros_like(amplitude)
    for look, angle in enumerate(STEERING_DEGREES[device.looks]):
        diffuse = draw(amplitude.shape) * (amplitude + np.float32(1.2) * maps.surface)
        signal = through_beam(diffuse + coherent, grid=grid, device=device)
        signal *= 10 ** (-shadow_db(maps, grid=grid, angle_degrees=angle) / np.float32(20))
        signal += reverberation(signal, grid=grid)
        fresh_noise = np.roll(noise, look * grid.rows // device.looks, axis=0)  # as good as drawn anew, and cheaper
        signal += fresh_noise * noise_level(grid)
        total += np.abs(signal)
    return total / np.float32(device.looks)


def complex_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """Circular complex Gaussian numbers of unit power."""
    parts = rng.standard_normal((*shape, 2), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return parts.view(np.complex64)[..., 0]


def shadow_db(maps: TissueMaps, *, grid: PixelGrid, angle_degrees: float = 0.0) -> Map:
    """Two-way loss in dB that the beam has met on its way to each pixel: positive = shadow, negative = enhancement.

    The beam has a width: losses are blurred sideways. A steered beam runs aslant, so its shadow does too.
    """
    blurred = cv2.GaussianBlur(maps.excess_db_per_mm, (0, 0), sigmaX=0.7 / grid.column_mm, sigmaY=0.5)
    shift = np.tan(np.radians(angle_degrees)) * grid.row_mm / grid.column_mm
    upright = np.array([[1, shift, 0], [0, 1, 0]], dtype=np.float64)
    size = (grid.columns, grid.rows)
    if angle_degrees:
        blurred = cv2.warpAffine(blurred, upright, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)
    loss = np.cumsum(blurred, axis=0, dtype=np.float32) * np.float32(grid.row_mm)
    if angle_degrees:
        loss = cv2.warpAffine(loss, upright, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(loss, dtype=np.float32) - maps.transmission_db[None]


def reverberation(signal: NDArray[np.complex64], *, grid: PixelGrid) -> NDArray[np.complex64]:
    """Echoes that went up and down once more between the probe and the shallow tissue: a faint, deeper copy."""
    late = np.zeros_like(signal)
    for delay_mm, weight in ((1.6, 1.0), (3.7, 0.7), (6.5, 0.5)):
        rows = max(1, round(delay_mm / grid.row_mm))
        late[rows:] += signal[:-rows] * np.complex64(weight)
    return late * np.float32(10 ** (REVERBERATION_DB / 20))


def noise_level(grid: PixelGrid) -> Map:
    """Amplitude of the receiver's noise per row: the time gain that makes up for attenuation lifts it with depth."""
    depth = (np.arange(grid.rows, dtype=np.float32) + 0.5) * np.float32(grid.row_mm)
    return (10 ** ((NOISE_DB + 0.5 * depth) / 20))[:, None].astype(np.float32)


def time_gain_residue_db(rng: np.random.Generator, *, grid: PixelGrid) -> Map:
    """What the time gain leaves over, per row: eight sliders set by hand, and fading beyond the penetration depth."""
    depth = np.linspace(0, 1, grid.rows)
    sliders = CubicSpline(np.linspace(0, 1, 8), rng.normal(0, 1.3, 8))(depth)
    fading = rng.uniform(8, 55) * np.clip(depth - rng.uniform(0.35, 0.85), 0, None)
    return (sliders - fading)[:, None].astype(np.float32)


def display(detected: Map, rng: np.random.Generator, *, grid: PixelGrid, device: Device) -> Map:
    """Log-compress a detected envelope to grey values 0..1 over the device's dynamic range."""
    return grey_values(detected, time_gain_residue_db(rng, grid=grid) + np.float32(device.gain_db), device=device)


def grey_values(detected: Map, gain_db: Map, *, device: Device) -> Map:
    """The same with the rows' gain given."""
    level = np.float32(20) * np.log10(np.maximum(detected, np.float32(1e-6)))
    level += gain_db
    grey = np.clip(1 + (level - np.float32(WHITE_DB)) / np.float32(device.dynamic_range_db), 0, 1)
    return grey ** np.float32(GREY_MAP_EXPONENT)

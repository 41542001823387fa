"""Image and mask from the cache, augmented on one core, against the usual ways to do it.

Every contender makes the same random changes to a 256 x 256 grey image and its mask: a turn of up to 30 degrees
with scaling by 0.9 to 1.1, both flips, brightness and contrast by up to 10 %, in half of the cases a 5 x 5
Gaussian blur. All but `PIL from PNG` start from the same decoded and resized arrays; that one reads files of
471 x 562 pixels, the image stored as RGB, as in the published BUSI. Rates are pairs per second of
processor time, one thread; contenders take turns, so that a change of the machine's speed meets all of them. The
roofline is copying image and mask out of the memory map.
"""

from __future__ import annotations

import importlib.util
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._row import Ratio, Row
from bustle.core.config import Component
from bustle.core.data_section import ImageData
from bustle.core.types import Case, Geometry, Sample
from bustle.data.prepared.cache import CaseCache
from bustle.data.transforms import opencv_executor, torch_executor
from bustle.data.transforms.augmentation import Augmentation

GOAL = "cached load and augmentation, image and mask"
BATCH = 16
ORIGINAL_SIZE = (471, 562)
"""Of a typical BUSI image."""
COMPONENTS = (
    Component("rotate", {"degrees": 30}),
    Component("scale", {"factor": [0.9, 1.1]}),
    Component("flip", {"horizontal": 0.5, "vertical": 0.5}),
    Component("color_jitter", {"brightness": 0.1, "contrast": 0.1}),
    Component("gaussian_blur", {"kernel": 5, "sigma": [0.1, 1.5], "probability": 0.5}),
)


@dataclass(frozen=True)
class Size:
    """`turn`: seconds of processor time that a contender has in each round, at least one epoch."""

    cases: int
    rounds: int
    turn: float


FULL = Size(cases=48, rounds=7, turn=0.25)
TINY = Size(cases=2, rounds=1, turn=0.0)

Contender = Callable[[int], None]
"""Prepares all cases once, in the given epoch."""


def made_sample(number: int) -> Sample:
    noise = np.random.default_rng(number).integers(0, 256, ORIGINAL_SIZE, np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.float64)
    image = np.asarray(255 * (smooth - smooth.min()) / np.ptp(smooth), np.uint8)
    y, x = np.mgrid[: ORIGINAL_SIZE[0], : ORIGINAL_SIZE[1]]
    mask = (np.hypot(y - 200, x - 300) < 90).astype(np.uint8)
    return Sample(
        case_id=f"made/{number}",
        source="made",
        image=image[None],
        geometry=Geometry(ORIGINAL_SIZE),
        lesion_mask=mask,
    )


def made_cases(count: int) -> list[Case]:
    return [
        Case(case_id=f"made/{number}", source="made", load=partial(made_sample, number), metadata={"number": number})
        for number in range(count)
    ]


def bustle(cache: CaseCache) -> Contender:
    augmentation = Augmentation.from_components(COMPONENTS, size=(256, 256))

    def epoch(number: int) -> None:
        for position, case_id in enumerate(cache.case_ids):
            drawn = augmentation.draw(case_id, seed=0, epoch=number)
            opencv_executor.apply(cache.images[position], [cache.lesion_masks[position]], drawn)

    return epoch


def bustle_batched(cache: CaseCache) -> Contender:
    augmentation = Augmentation.from_components(COMPONENTS, size=(256, 256))

    def epoch(number: int) -> None:
        for start in range(0, len(cache), BATCH):
            ids = cache.case_ids[start : start + BATCH]
            images = torch.from_numpy(cache.images[start : start + BATCH].copy())
            masks = torch.from_numpy(cache.lesion_masks[start : start + BATCH].copy())[:, None]
            drawn = [augmentation.draw(case_id, seed=0, epoch=number) for case_id in ids]
            torch_executor.apply(images, masks, drawn)

    return epoch


def copying(cache: CaseCache) -> Contender:
    image, mask = np.empty_like(cache.images[0]), np.empty_like(cache.lesion_masks[0])

    def epoch(number: int) -> None:
        for position in range(len(cache)):
            np.copyto(image, cache.images[position])
            np.copyto(mask, cache.lesion_masks[position])

    return epoch


def torchvision_v2(cache: CaseCache) -> Contender:
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.RandomAffine((-30, 30), scale=(0.9, 1.1), interpolation=v2.InterpolationMode.BILINEAR),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.ColorJitter(brightness=0.1, contrast=0.1),
            v2.RandomApply([v2.GaussianBlur(5, (0.1, 1.5))], p=0.5),
        ]
    )

    def epoch(number: int) -> None:
        torch.manual_seed(number)
        for position in range(len(cache)):
            transform(
                tv_tensors.Image(torch.from_numpy(cache.images[position].copy())),
                tv_tensors.Mask(torch.from_numpy(cache.lesion_masks[position].copy())),
            )

    return epoch


def monai(cache: CaseCache) -> Contender:
    from monai import transforms

    transform = transforms.Compose(
        [
            transforms.RandAffined(
                ("image", "mask"),
                prob=1.0,
                rotate_range=np.pi / 6,
                scale_range=0.1,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            transforms.RandFlipd(("image", "mask"), prob=0.5, spatial_axis=0),
            transforms.RandFlipd(("image", "mask"), prob=0.5, spatial_axis=1),
            transforms.RandScaleIntensityd("image", factors=0.1, prob=1.0),
            transforms.RandScaleIntensityFixedMeand("image", factors=0.1, prob=1.0),
            transforms.RandGaussianSmoothd("image", sigma_x=(0.1, 1.5), sigma_y=(0.1, 1.5), prob=0.5),
        ]
    )

    def epoch(number: int) -> None:
        transform.set_random_state(number)
        for position in range(len(cache)):
            transform({"image": cache.images[position], "mask": cache.lesion_masks[position][None]})

    return epoch


def kornia(cache: CaseCache) -> Contender:
    from kornia import augmentation  # pyright: ignore[reportMissingImports]

    transform = augmentation.AugmentationSequential(
        augmentation.RandomAffine(30.0, scale=(0.9, 1.1), p=1.0),
        augmentation.RandomHorizontalFlip(p=0.5),
        augmentation.RandomVerticalFlip(p=0.5),
        augmentation.ColorJiggle(brightness=0.1, contrast=0.1, p=1.0),
        augmentation.RandomGaussianBlur((5, 5), (0.1, 1.5), p=0.5),
        data_keys=["input", "mask"],
    )

    def epoch(number: int) -> None:
        torch.manual_seed(number)
        for start in range(0, len(cache), BATCH):
            images = torch.from_numpy(cache.images[start : start + BATCH].copy()).float() / 255
            masks = torch.from_numpy(cache.lesion_masks[start : start + BATCH].copy())[:, None].float()
            transform(images.expand(-1, 3, -1, -1), masks)  # its colour transforms ask for RGB

    return epoch


def write_pngs(folder: Path, cases: int) -> None:
    """Image and mask of every case, the image stored as RGB."""
    from PIL import Image

    for number in range(cases):
        sample = made_sample(number)
        Image.fromarray(np.dstack([sample.image[0]] * 3)).save(folder / f"{number}.png")
        Image.fromarray(np.asarray(sample.lesion_mask) * 255).save(folder / f"{number}_mask.png")


def augmented_by_pil(
    folder: Path, number: int, *, draw: random.Random, edge: int = 256
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image and mask `edge edge` of a case that `write_pngs` has written."""
    from PIL import Image, ImageEnhance, ImageFilter

    bilinear, nearest = Image.Resampling.BILINEAR, Image.Resampling.NEAREST
    image = Image.open(folder / f"{number}.png").convert("L").resize((edge, edge), bilinear)
    mask = Image.open(folder / f"{number}_mask.png").resize((edge, edge), nearest)
    angle, size = draw.uniform(-30, 30), round(edge / draw.uniform(0.9, 1.1))
    corner = (edge - size) // 2
    window = (corner, corner, corner + size, corner + size)
    image = image.rotate(angle, bilinear).crop(window).resize((edge, edge), bilinear)
    mask = mask.rotate(angle, nearest).crop(window).resize((edge, edge), nearest)
    for flip in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
        if draw.random() < 0.5:
            image, mask = image.transpose(flip), mask.transpose(flip)
    image = ImageEnhance.Brightness(image).enhance(draw.uniform(0.9, 1.1))
    image = ImageEnhance.Contrast(image).enhance(draw.uniform(0.9, 1.1))
    if draw.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(draw.uniform(0.1, 1.5)))
    return np.array(image), np.array(mask)


def pil_from_png(folder: Path, cases: int) -> Contender:
    write_pngs(folder, cases)

    def epoch(number: int) -> None:
        draw = random.Random(number)
        for position in range(cases):
            image, mask = augmented_by_pil(folder, position, draw=draw)
            assert image.shape == mask.shape == (256, 256)

    return epoch


def run(size: Size) -> list[Row]:
    """Measure bustle against every peer that is installed."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        with tempfile.TemporaryDirectory() as name:
            return _measure(Path(name), size)
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def _measure(folder: Path, size: Size) -> list[Row]:
    cache = CaseCache.open(made_cases(size.cases), section=ImageData(), directory=folder)
    contenders: dict[str, Contender] = {"bustle": bustle(cache), "copy": copying(cache)}
    makers: dict[str, tuple[str, Callable[[], Contender]]] = {  # with the package that each needs
        "torchvision v2": ("torchvision", partial(torchvision_v2, cache)),
        "MONAI": ("monai", partial(monai, cache)),
        "kornia, batches of 16": ("kornia", partial(kornia, cache)),
        "PIL from PNG": ("PIL", partial(pil_from_png, folder, size.cases)),
        "bustle's own batched torch form, batches of 16": ("torch", partial(bustle_batched, cache)),
    }
    contenders |= {peer: make() for peer, (package, make) in makers.items() if importlib.util.find_spec(package)}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(size.rounds + 1):
        for name, epoch in contenders.items():
            start, epochs = time.process_time(), 0
            while epochs == 0 or time.process_time() - start < size.turn:
                epoch(100 * number + epochs)
                epochs += 1
            if number > 0:  # the first round only warms up
                rates[name].append(epochs * size.cases / (time.process_time() - start))
    print("pairs per second and core:", {name: round(statistics.median(r)) for name, r in rates.items()})
    fractions = [ours / roof for ours, roof in zip(rates["bustle"], rates["copy"], strict=True)]
    rows = []
    for peer, (package, _) in makers.items():
        if peer not in contenders:
            rows.append(Row(goal=GOAL, peer=peer, needs=package))
            continue
        ratios = [ours / theirs for ours, theirs in zip(rates["bustle"], rates[peer], strict=True)]
        ratio, fraction = Ratio.over(ratios), statistics.median(fractions)
        rows.append(Row(goal=GOAL, peer=peer, ratio=ratio, roofline_fraction=fraction))
    return rows

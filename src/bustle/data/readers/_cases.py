"""From the files of a data set to its `Collection`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.types import Case, Collection, Finding, Geometry, Sample
from bustle.data.case_ids import check_case_id
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._folders import named
from bustle.data.readers._mask_sizes import OtherSize, fitted
from bustle.data.relations.alike_patients import alike_message, alike_patients
from bustle.io.raster import image_size, orientation, picture_count, read_image, read_mask
from bustle.io.tables import Table
from bustle.io.volume import check_same_grid, is_volume, read_header, read_mask_volume, read_volume, volume_stem
from bustle.io.volume_files import detached_files


class CollectionBuilder:
    """Gathers the cases of one source in the order in which they are added, and what was noticed.

    Looks at the headers of images and masks, so that masks of another size are reported before any training, but
    never decodes pixels.
    """

    def __init__(self, source: str, *, other_size: OtherSize = "refuse"):
        """`other_size` is what becomes of an image's mask that has another size."""
        self.source = source
        self.other_size: OtherSize = other_size
        self._cases: dict[str, Case] = {}
        self._findings: list[Finding] = []

    def case_id(self, stem: str) -> str:
        return f"{self.source}/{stem}"

    def add(
        self,
        stem: str,
        *,
        image: Path,
        annotations: Annotations,
        origin: Origin | None = None,
        spacing: tuple[float, ...] | None = None,
        decode: Callable[[Path], NDArray[np.uint8]] = read_image,
    ) -> None:
        """Add one case; a file whose own name cannot be a case's is left out, with a finding.

        Raises `InputError` for an id that is taken, and for one that a table gives and that cannot name a folder.

        `decode` makes the pixels `C H W` of the file `image`; it must be picklable. Where `image` is a volume, it is
        not used, and the file's own header says the spacing unless `spacing` does.
        """
        case_id = self._free_id(stem, image=image)
        if case_id is None:
            return
        origin = origin or Origin()
        masks = annotations.mask_files
        self._cases[case_id] = Case(
            case_id=case_id,
            source=self.source,
            load=partial(
                load_sample,
                case_id=case_id,
                source=self.source,
                image_file=image,
                decode=None if is_volume(image) else decode,
                annotations=annotations,
                patient_id=origin.patient_id,
                spacing=spacing,
                other_size=self.other_size,
            ),
            files=(image, *masks, *origin.tables, *_voxels_of((image, *masks))),
            patient_id=origin.patient_id,
            label=annotations.label,
            has_mask=annotations.lesions is not None,
            mask_files=len(annotations.lesion_files),
            has_gland=annotations.gland_mask is not None,
            has_box=annotations.boxes is not None,
            spacing=spacing or _stated_spacing(image),
            official_fold=origin.official_fold,
            video=origin.video,
            frame=origin.frame,
            metadata=origin.metadata,
        )
        self._compare_sizes(case_id, image, masks, outlined=annotations.outlined)

    def _free_id(self, stem: str, *, image: Path) -> str | None:
        """The case's id; None, with a finding, where the file's own name cannot be one."""
        try:
            case_id = check_case_id(self.case_id(stem), path=image)
        except InputError as error:
            if stem != volume_stem(image):
                raise
            self.note("unusable-name", f"left out: {error.in_results()}")
            return None
        if case_id in self._cases:
            other = self._cases[case_id].files[0]
            which = "" if other == image else f", of '{other.name}' too"
            raise InputError(
                f"case id '{case_id}' occurs twice{which}", remedy="give every case a name of its own", path=image
            )
        return case_id

    def note(self, kind: str, message: str, *, stems: list[str] | None = None) -> None:
        """Record a finding about the cases of `stems`, or about the source as a whole."""
        self._findings.append(Finding(kind, tuple(self.case_id(stem) for stem in stems or []), message))

    def note_files(self, kind: str, what: str, files: list[Path]) -> None:
        """Record a finding about files that belong to no case, if there are any."""
        if files:
            self.note(kind, f"{self.source}: {len(files)} {what}: {named(files)}")

    def note_cases(self, kind: str, what: str, stems: list[str]) -> None:
        """Record one finding about all cases of `stems`, if there are any."""
        if stems:
            self.note(kind, f"{self.source}: {len(stems)} {what}: {named(stems)}", stems=stems)

    def note_unread(self, folders: list[Path]) -> None:
        """Record folders of a data set that hold images and that nobody reads."""
        if folders:
            message = f"{self.source}: {len(folders)} folders hold images that are not read: {named(folders)}"
            self.note("unread-folder", message)

    def note_table(self, table: Table) -> None:
        """Record which known columns of a table hold words such as NA, which count as absent."""
        for column, count in table.missing.items():
            what = f"cells of {column} in {table.path.name} say NA, nan or the like and count as absent"
            self.note("missing-values", f"{self.source}: {count} {what}")

    def collection(self) -> Collection:
        self._compare_patients()
        self._compare_names()
        return Collection(tuple(self._cases.values()), tuple(map(self._of_known_cases, self._findings)))

    def _of_known_cases(self, finding: Finding) -> Finding:
        """Without the cases that were left out."""
        return dataclasses.replace(finding, case_ids=tuple(name for name in finding.case_ids if name in self._cases))

    def _compare_patients(self) -> None:
        cases_of = Counter(case.patient_id for case in self._cases.values() if case.patient_id is not None)
        groups = alike_patients(cases_of)
        if groups:
            alike = {patient for group in groups for patient in group}
            hit = tuple(case.case_id for case in self._cases.values() if case.patient_id in alike)
            message = alike_message(self.source, groups, cases_of)
            self._findings.append(Finding("alike-patients", hit, message))

    def _compare_names(self) -> None:
        """Cases that differ only in capitals have one folder of results where a file system tells no capitals."""
        of_name: dict[str, list[str]] = {}
        for case_id in self._cases:
            of_name.setdefault(case_id.casefold(), []).append(case_id)
        alike = tuple(case_id for same in of_name.values() if len(same) > 1 for case_id in same)
        if alike:
            message = (
                f"{self.source}: {len(alike)} cases have names that differ only in capitals ({named(alike)}): "
                "on Windows and macOS the results of one replace another's"
            )
            self._findings.append(Finding("alike-names", alike, message))

    def _compare_sizes(self, case_id: str, image: Path, masks: tuple[Path, ...], *, outlined: bool) -> None:
        if is_volume(image):
            self._compare_grids(case_id, image, masks)
            return
        self._count_pictures(case_id, (image, *masks))
        self._note_orientation(case_id, image, outlined=outlined)
        for mask in masks:
            try:
                height, width = image_size(image)
                mask_height, mask_width = image_size(mask)
            except InputError:
                continue  # loading the case says what is wrong with the file
            if (height, width) != (mask_height, mask_width):
                resized = self.other_size == "resize"
                kind, what = ("mask-resized", "resized") if resized else ("mask-size-mismatch", "refused")
                message = (
                    f"{mask.name} is {mask_width} x {mask_height} pixels, its image {width} x {height}; "
                    f"the mask is {what} when the case is loaded"
                )
                self._findings.append(Finding(kind, (case_id,), message))

    def _note_orientation(self, case_id: str, image: Path, *, outlined: bool) -> None:
        with contextlib.suppress(InputError):  # loading the case says what is wrong with the file
            turn = orientation(image)
            if turn != 1:
                where = ", where its mask or box must fit it" if outlined else ""
                message = f"{image.name} says that it lies on its side or head (EXIF orientation {turn}); "
                self._findings.append(
                    Finding("exif-orientation", (case_id,), f"{message}it is used as it is stored{where}")
                )

    def _count_pictures(self, case_id: str, files: tuple[Path, ...]) -> None:
        for file in files:
            with contextlib.suppress(InputError):  # loading the case says what is wrong with the file
                count = picture_count(file)
                if count > 1:
                    message = f"{file.name} holds {count} pictures; only the first is used"
                    self._findings.append(Finding("several-pictures", (case_id,), message))

    def _compare_grids(self, case_id: str, volume: Path, masks: tuple[Path, ...]) -> None:
        for mask in masks:
            try:
                like = read_header(volume).geometry()
                read_header(mask)
            except InputError:
                continue  # loading the case says what is wrong with the file
            try:
                check_same_grid(mask, like=like)
            except InputError as error:
                message = f"{mask.name} {error.problem}; the mask is refused when the case is loaded"
                self._findings.append(Finding("mask-size-mismatch", (case_id,), message))


def _voxels_of(files: Iterable[Path]) -> Iterator[Path]:
    """The further files in which volumes keep their voxels."""
    for file in files:
        if is_volume(file):
            yield from detached_files(file)


def _stated_spacing(image: Path) -> tuple[float, ...] | None:
    """What a volume's own header says; None for an image."""
    if is_volume(image):
        with contextlib.suppress(InputError):  # loading the case says what is wrong with the file
            return read_header(image).spacing
    return None


def load_sample(
    *,
    case_id: str,
    source: str,
    image_file: Path,
    decode: Callable[[Path], NDArray[np.uint8]] | None,
    annotations: Annotations,
    patient_id: str | None,
    spacing: tuple[float, ...] | None,
    other_size: OtherSize,
) -> Sample:
    """Decode the files of one case, of a volume if `decode` is None.

    Raises `InputError` for a damaged file or a mask of another size, or at another place than its volume.
    """
    if decode is None:
        image, geometry = _read_scan(image_file, masks=annotations.mask_files, spacing=spacing)
        read_other: Callable[[Path], NDArray[np.bool_]] = read_mask_volume
    else:
        image = decode(image_file)
        geometry = Geometry(original_size=(image.shape[1], image.shape[2]), spacing=spacing)
        read_other = read_mask
    size = geometry.original_size

    def structure(file: Path) -> NDArray[np.bool_]:
        return fitted(read_other(file), size, other=other_size, path=file)

    lesions, gland = annotations.lesions, annotations.gland_mask
    lesion_mask, lesion_labels = (None, ()) if lesions is None else lesions.read(size, other=other_size)
    return Sample(
        case_id=case_id,
        source=source,
        image=image,
        geometry=geometry,
        patient_id=patient_id,
        label=annotations.label,
        lesion_mask=lesion_mask,
        lesion_labels=lesion_labels,
        gland_mask=None if gland is None else structure(gland),
        other_masks={name: structure(file) for name, file in annotations.other_masks.items()},
        boxes=annotations.boxes,
        provenance={"image": image_file.name, "masks": [file.name for file in annotations.lesion_files]},
    )


def _read_scan(
    file: Path, *, masks: Iterable[Path], spacing: tuple[float, ...] | None
) -> tuple[NDArray[np.uint8], Geometry]:
    """A volume `1 D H W`, once all `masks` are known to lie where it does; `spacing` replaces its header's."""
    voxels, geometry = read_volume(file)
    for mask in masks:
        check_same_grid(mask, like=geometry)
    return voxels[None], geometry if spacing is None else dataclasses.replace(geometry, spacing=spacing)

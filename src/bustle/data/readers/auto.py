"""Any data set whose form can be told by looking at it: named data sets, and the layouts that people use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.files import read_json
from bustle.core.progress import announce
from bustle.core.types import CLASS_NAMES, Collection
from bustle.data.readers import coco
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._class_words import OPTION, ClassWords
from bustle.data.readers._fields import parse_spacing
from bustle.data.readers._folders import folders_with_images, image_files, image_or_volume_files
from bustle.data.readers._item_tables import ItemTable, read_item_table, tables_in
from bustle.data.readers._layouts import Item, find_layout, parts_of, subfolders
from bustle.data.readers._lesions import LesionSource, NumberedMask, UnitedMasks
from bustle.data.readers._mask_sizes import OTHER_SIZES, OtherSize, other_size_of
from bustle.data.readers._pairing import IMAGE_FOLDERS, named_folder
from bustle.data.readers._rows import rows_of_stems
from bustle.data.readers.folder import LABELS
from bustle.data.sources import ReaderDescription, reader_module
from bustle.io.dicom.recognition import dicom_files, is_dicom
from bustle.io.names import NameIndex, file_below, normal_form
from bustle.io.raster import RASTER_SUFFIXES
from bustle.io.tables import TABLE_SUFFIXES, Row
from bustle.io.volume import is_volume, volume_stem

HARD_TO_TYPE = frozenset(",:&%#+")
"""In a folder's name: they mean something in a spec."""

DESCRIPTION = ReaderDescription(
    title="Any of these, and common layouts, told by looking at them",
    layout="""
PATH alone means auto:PATH. Recognised, also inside folders that hold nothing else, in a ZIP archive, and split into
train/ and test/:
  the data sets named on this page, by their files
  benign/ malignant/ …      class folders in any case and several languages, masks beside the images or in folders
  images/ masks/            also image, imgs, original; mask, GT, annotations; masks as a.png, a_mask.png, mask_a.png
  images/ labels/*.txt      YOLO boxes and outlines, with data.yaml or classes.txt (also as Roboflow exports them)
  a COCO .json              beside its images, in annotations/, or one in each part (Roboflow)
  a table                   columns such as filename and class, Image and Mask; paths of other machines too
  a.png a_mask.png          images and masks in one folder
  DICOM files               of any name, also in folders below
It says what it understood, and refuses what could be meant in two ways.
""",
    licence="Your data's own",
    citation="",
    obtain="Give the path of what you have",
    options={"labels": OPTION, **OTHER_SIZES},
)


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `<reader>/…` of a data set that has a reader of its own, else `auto/<stem>`."""
    if path is None:
        raise InputError("the reader auto needs a path", remedy="write auto:PATH, or the path alone")
    words, other_size = ClassWords.of_option(options.get("labels", "")), other_size_of(options)
    whole = path.resolve().parent
    reader = _named_reader(whole)
    if reader is not None:
        raise InputError(f"is a part of a data set that {reader}: reads", remedy=f"give {whole}", path=path)
    if path.is_file():
        return _read_file(path, name=name, words=words, other_size=other_size)
    root = _unwrapped(path, words=words)
    reader = _named_reader(root)
    if reader is not None:
        if words.told:
            raise InputError(f"is read as {reader}:, which knows its classes", remedy="leave labels= out", path=path)
        found = reader_module(reader)
        passed = {option: value for option, value in options.items() if option in found.DESCRIPTION.options}
        collection = found.read(root, name=_source(name, reader), options=passed)
        return _told(path, f"{reader}:{root}", collection)
    annotations = _coco_files(root)
    if annotations:
        return _told(path, "COCO annotations", _read_coco(annotations, name=_source(name, "coco"), words=words))
    layout = find_layout(root, words=words)
    tables, unread = _tables(path, root)
    if layout is None:
        if len(tables) == 1:
            collection = _of_table(tables[0], name=name, words=words, other_size=other_size)
            return _told(path, f"the table {tables[0].table.path.name}", collection)
        if dicom_files(path):
            return _told(path, "DICOM files", _read_dicom(path, name=name))
        if unread and not tables:
            raise unread[0]
        raise _unknown_form(path, root)
    builder = CollectionBuilder(name, other_size=other_size)
    table = _fitting(tables, layout.items, path=path)
    what = layout.what if table is None else f"{layout.what}, with {table.table.path.name}"
    _add_items(builder, layout.items, table, words=words)
    for error in unread:
        builder.note("unread-table", f"{name}: nothing is taken from a table: {error.in_results()}")
    builder.note_files("mask-without-image", "masks belong to no image", list(layout.orphans))
    used = {part.name for item in layout.items for file in (item.image, *item.masks) for part in file.parents}
    builder.note_unread(folders_with_images(root, besides=used))
    return _told(path, what, builder.collection())


def _unknown_form(path: Path, root: Path) -> InputError:
    """The folders of images in `root`, the data set's folder in `path`, may be classes by names of their own."""
    remedy = (
        "give manifest:TABLE.csv, a table with a row for each image and the columns image, mask, label, patient_id"
    )
    folders = [folder.name for folder in folders_with_images(root, besides=())]
    if 1 < len(folders) <= len(CLASS_NAMES) and not HARD_TO_TYPE & set("".join(folders)):
        meant = ",".join(f"{name}:{label}" for name, label in zip(folders, CLASS_NAMES, strict=False))
        remedy = f"say what its folders mean, as in ?labels={meant}; where they are no classes, {remedy}"
    return InputError("is no data set whose form is known", remedy=remedy, path=path)


def _read_file(path: Path, *, name: str, words: ClassWords, other_size: OtherSize) -> Collection:
    if is_dicom(path):
        return _told(path, "a DICOM file", _read_dicom(path, name=name))
    suffix = path.suffix.lower()
    if suffix in (".tar", ".gz", ".7z", ".rar"):
        raise InputError("is an archive", remedy="unpack it and give the folder, or give it as a ZIP", path=path)
    if suffix == ".json":
        return _told(path, "COCO annotations", _read_coco([path], name=_source(name, "coco"), words=words))
    table = read_item_table(path) if suffix in TABLE_SUFFIXES else None
    if table is None:
        raise InputError(
            "is neither a folder, a table with a column of images, nor a COCO file",
            remedy="give the folder of the data set",
            path=path,
        )
    return _told(path, "a table", _of_table(table, name=name, words=words, other_size=other_size))


def _read_dicom(path: Path, *, name: str) -> Collection:
    return reader_module("dicom").read(path, name=_source(name, "dicom"), options={})


def _source(name: str, reader: str) -> str:
    return reader if name == "auto" else name


def _told(path: Path, what: str, collection: Collection) -> Collection:
    classes = Counter(case.label or "without a class" for case in collection.cases)
    counts = ", ".join(f"{classes[label]} {label}" for label in (*CLASS_NAMES, "without a class") if classes[label])
    outlined = sum(case.has_mask for case in collection.cases)
    announce(f"bustle: {path} is read as {what}: {len(collection.cases)} images ({counts}), {outlined} outlined")
    return collection


def _unwrapped(root: Path, *, words: ClassWords) -> Path:
    """Without folders that only hold one other folder, as archives unpack to."""
    while True:
        inner = subfolders(root)
        plain = len(inner) == 1 and not image_or_volume_files(root) and not _is_class_folder(inner[0], words=words)
        files = [entry for entry in root.iterdir() if entry.suffix.lower() in (*TABLE_SUFFIXES, ".json", ".yaml")]
        if not plain or files or _named_reader(root) is not None:
            return root
        root = inner[0]


def _is_class_folder(folder: Path, *, words: ClassWords) -> bool:
    holds = bool(image_or_volume_files(folder)) or named_folder(folder, IMAGE_FOLDERS) is not None
    return holds and words.meaning(folder.name) is not None


def _named_reader(root: Path) -> str | None:
    """The reader of a published data set whose files lie in this folder."""
    folders = {folder.name for folder in subfolders(root)}
    if {"Images", "Masks"} <= folders and (root / "bus_data.csv").is_file():
        return "bus-bra"
    if {"images", "masks"} <= folders and (root / "INFO.csv").is_file():
        return "bus-uclm"
    if {"original", "GT"} <= folders:
        return "udiat"
    if "DATA" in folders and any(is_volume(file) for file in (root / "DATA").iterdir()):
        return "tdsc-abus"
    if any(root.glob("*clinical*.xlsx")) and (root / "BrEaST-Lesions_USG-images_and_masks").is_dir():
        return "breast"
    classes = folders & set(CLASS_NAMES)
    if {"benign", "malignant"} <= classes and not folders_with_images(root, besides=CLASS_NAMES):
        first = next((file for label in sorted(classes) for file in image_files(root / label)), None)
        if first is not None and first.stem.startswith(f"{first.parent.name} ("):
            return "busi"
    return None


def _coco_files(root: Path) -> list[Path]:
    """The COCO file of a folder, or one for each part of a split; two of one folder could be meant."""
    for folder in (root, root / "annotations"):
        found = [file for file in sorted(folder.glob("*.json")) if _is_coco(file)]
        if len(found) > 1:
            raise InputError(
                f"holds {len(found)} COCO files ({', '.join(file.name for file in found[:3])})",
                remedy="name one of them, as in coco:FILE.json?images=FOLDER",
                path=folder,
            )
        if found:
            return found
    return [file for part in parts_of(root) for file in _coco_files(part)]


def _is_coco(file: Path) -> bool:
    try:
        content = read_json(file)
    except InputError:
        return False
    return isinstance(content, dict) and {"images", "annotations"} <= set(content)


def _read_coco(files: Sequence[Path], *, name: str, words: ClassWords) -> Collection:
    collections = []
    for file in files:
        folder = _images_of_coco(file)
        collections.append(coco.read_annotations(file, name=name, folder=folder or file.parent, words=words))
    cases = tuple(case for collection in collections for case in collection.cases)
    twice = [case_id for case_id, times in Counter(case.case_id for case in cases).items() if times > 1]
    if twice:
        raise InputError(
            f"'{twice[0]}' is in two parts of the split", remedy="give each part as a source of its own, with ?name="
        )
    return Collection(cases, tuple(finding for collection in collections for finding in collection.findings))


def _images_of_coco(file: Path) -> Path | None:
    """The folder in which the file's first image lies; None for its own, or where there is none."""
    content = read_json(file)
    entries = content.get("images") if isinstance(content, dict) else None
    entry = entries[0] if isinstance(entries, list) and entries else None
    first = entry.get("file_name") if isinstance(entry, dict) else None
    for root in (file.parent, file.parent.parent):
        for folder in (root, root / "images", root / "Images"):
            if folder.is_dir() and isinstance(first, str) and file_below(folder, first).is_file():
                return folder
    return None


def _tables(path: Path, root: Path) -> tuple[list[ItemTable], list[InputError]]:
    """The tables with a column of images, and why others cannot be read: they may be about anything.

    Raises `InputError` where it is one that by its name is about the images, as the reader folder does.
    """
    tables, unread = [], []
    for file in (file for folder in dict.fromkeys((path, root)) for file in tables_in(folder)):
        try:
            table = read_item_table(file)
        except InputError as error:
            if file.stem.lower() == LABELS:
                raise
            unread.append(error)
            continue
        if table is not None:
            tables.append(table)
    return tables, unread


def _fitting(tables: Sequence[ItemTable], items: Sequence[Item], *, path: Path) -> ItemTable | None:
    """The one table that is about these images. Raises `InputError` where several are."""
    stems = [_stem(item) for item in items]
    fitting = [table for table in tables if table.fits(stems)]
    if len(fitting) > 1:
        raise InputError(
            f"has several tables about its images ({', '.join(table.table.path.name for table in fitting)})",
            remedy="keep one of them there",
            path=path,
        )
    return fitting[0].checked() if fitting else None


def _stem(item: Item) -> str:
    return normal_form(volume_stem(item.image))


def _case_stems(items: Sequence[Item]) -> list[str]:
    """Names of the cases: the images', with their folder's and part's before them where some would be the same."""
    names = [_stem(item) for item in items]
    for before in (lambda item: item.folder, lambda item: item.part):
        if len(set(names)) == len(names):
            break
        names = [f"{before(item)}-{name}" if before(item) else name for item, name in zip(items, names, strict=True)]
    return names


def _add_items(
    builder: CollectionBuilder, items: Sequence[Item], table: ItemTable | None, *, words: ClassWords
) -> None:
    rows = {} if table is None else _rows(table, items)
    without_mask = []
    for item, stem in zip(items, _case_stems(items), strict=True):
        row = rows.get(_stem(item), {})
        item = _with_class(item, table, row, words=words)
        lesions = _lesions(item)
        spacing = None
        if table is not None and row and not is_volume(item.image):
            with table.table.telling_line_of(row):
                spacing = parse_spacing(table.cell(row, "spacing_mm"), path=table.table.path)
        if lesions is None:
            without_mask.append(stem)
        builder.add(
            stem,
            image=item.image,
            annotations=Annotations(
                lesions=lesions,
                label=item.label,
                boxes=None if item.yolo is None else item.yolo.boxes,
            ),
            origin=Origin(
                patient_id=(table.cell(row, "patient_id") or None) if table is not None and row else None,
                metadata={"part": item.part} if item.part else {},
                tables=tuple(file for file in (item.annotation, table and table.table.path) if file is not None),
            ),
            spacing=spacing,
        )
    if len(without_mask) < len(items):
        builder.note_cases("image-without-mask", "images have no mask", without_mask)
    if table is not None:
        builder.note_table(table.table)


def _rows(table: ItemTable, items: Sequence[Item]) -> dict[str, Row]:
    """Rows by the image's stem. Raises `InputError` for two rows of one image and for a row that fits several."""
    images = Counter(_stem(item) for item in items)
    rows, _ = rows_of_stems(table.table, column=table.columns["image"], stems=images)
    for stem in rows:
        if images[stem] > 1:
            raise InputError(
                f"a row about '{stem}' fits {images[stem]} images",
                remedy="give every image a name and a row of its own",
                path=table.table.path,
            )
    return rows


def _with_class(item: Item, table: ItemTable | None, row: Row, *, words: ClassWords) -> Item:
    if table is None or not row:
        return item
    with table.table.telling_line_of(row):
        label = words.parse(table.cell(row, "label"), path=table.table.path)
        if label is not None and item.label is not None and label != item.label:
            raise InputError(
                f"says {label} of {item.image.name}, which its place says to be {item.label}",
                remedy="correct one of the two",
                path=table.table.path,
            )
    return replace(item, label=label or item.label)


def _lesions(item: Item) -> LesionSource | None:
    if item.yolo is not None:
        return item.yolo.lesions
    if len(item.masks) == 1:
        return NumberedMask(item.masks[0], item.label)
    return UnitedMasks(item.masks, item.label) if item.masks or item.label == "normal" else None


def _of_table(table: ItemTable, *, name: str, words: ClassWords, other_size: OtherSize) -> Collection:
    """The images that a table names by their paths, or by names that are unique below its folder."""
    table.checked()
    folder = table.table.path.parent
    files = [file for file in sorted(folder.rglob("*")) if file.parent.name[:1] != "." and _is_picture(file)]
    index = NameIndex(dict.fromkeys(normal_form(volume_stem(file)) for file in files))
    absent, items = [], []
    for row in table.table.rows:
        image = _named_file(table, row, "image", files, index)
        if image is None:
            absent.append(Path(table.cell(row, "image")))
            continue
        mask = _named_file(table, row, "mask", files, index)
        if mask is None and table.cell(row, "mask"):
            absent.append(Path(table.cell(row, "mask")))
        with table.table.telling_line_of(row):
            label = words.parse(table.cell(row, "label"), path=table.table.path)
        items.append(Item(image, () if mask is None else (mask,), label))
    if not items:
        raise InputError(
            f"{table.table.doubt}none of its images exists ('{absent[0]}')" if absent else "has no rows",
            remedy="put the table beside the images, or their folder",
            path=table.table.path,
        )
    builder = CollectionBuilder(name, other_size=other_size)
    _add_items(builder, items, table, words=words)
    builder.note_files("row-without-image", f"files that {table.table.path.name} names do not exist", absent)
    return builder.collection()


def _is_picture(file: Path) -> bool:
    return bool(file.suffix) and (is_volume(file) or file.suffix.lower() in RASTER_SUFFIXES) and file.is_file()


def _named_file(table: ItemTable, row: Row, what: str, files: Sequence[Path], index: NameIndex) -> Path | None:
    text = table.cell(row, what)
    if not text:
        return None
    file = file_below(table.table.path.parent, text)
    if file.is_file():
        return file
    found = [file for stem in index.find(text) for file in files if normal_form(volume_stem(file)) == stem]
    if len(found) > 1:
        raise InputError(
            f"'{text}' could be {found[0]} or {found[1]}", remedy="write paths in the table", path=table.table.path
        )
    return found[0] if found else None

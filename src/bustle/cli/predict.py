"""`bustle predict`: masks, classes and measurements for images, clips and studies."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bustle.cli.engine_options import add_engine_arguments, refuse_ray_options
from bustle.core.explanation import METHODS
from bustle.core.object_formats import OBJECT_FORMATS, ObjectFormat
from bustle.core.paths import given_path

if TYPE_CHECKING:
    from bustle.core.errors import InputError
    from bustle.reading.predict_inputs import PredictedInputs

MANIFEST = "manifest:"
"""What an input begins with that lists the files of an archive."""
FORMATS = ("png", "json", *OBJECT_FORMATS)

HELP = "Outline and classify lesions in images, clips, volumes or whole studies with a trained model."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="PNG, JPEG, BMP, TIFF, GIF, WebP, JPEG 2000 or AVIF image, NRRD, NIfTI or MHA volume, video, DICOM "
        "file, a folder (those directly in it, of DICOM files also those below), a ZIP archive, a pattern "
        "('scans/**/*.png'), frames:FOLDER or frames:VIDEOS.csv for folders of the frames of clips, or "
        "manifest:FILE, a CSV or Parquet table with a column 'image' of millions of files, answered into tables",
    )
    parser.add_argument(
        "--model",
        type=given_path,
        metavar="RUN|PACKAGE",
        help="run folder of `bustle train`, RUN/fold-K, or a package of `bustle export` (default: the "
        "reference model that comes with bustle)",
    )
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="DIR", help="where DIR/<image name>/ is written"
    )
    parser.add_argument(
        "--save-probability", action="store_true", help="also write probability.png or .nrrd (0..255 = 0..1)"
    )
    parser.add_argument(
        "--explain",
        nargs="*",
        type=_method,
        metavar="METHOD",
        help="also write explanation_METHOD.png, which shows where the answer comes from, and its map in 16 bits: "
        f"{', '.join(METHODS)} (default: the best one that the model offers)",
    )
    parser.add_argument(
        "--save-channels",
        action="store_true",
        help="of a run: also write the maps that the network makes by itself (channel_*.png, and in 16 bits "
        "channel_*_map.png or .nrrd)",
    )
    parser.add_argument(
        "--centre",
        nargs=3,
        type=float,
        metavar=("SLICE", "ROW", "COLUMN"),
        help="the lesion's place in a volume, in voxels from 0: look only there (default: search the volume)",
    )
    parser.add_argument(
        "--spacing",
        nargs="+",
        type=_millimetres,
        metavar="MM",
        help="the size of a pixel or voxel: one number, or that of a row and a column, of a volume's slice, row and "
        "column; for files that do not say it, or say it wrongly",
    )
    parser.add_argument(
        "--report", action="store_true", help="also write DIR/answers.html, a page with every picture and its answer"
    )
    parser.add_argument(
        "--format",
        type=_formats,
        default=(),
        metavar="FORMAT,...",
        help="of DICOM images also DIR/dicom-objects/*.dcm, which a viewer opens: seg (outlines), sr (report of "
        "measurements and answers), key (image with the outline as an overlay), pdf (one page a study); json and png "
        "are always written",
    )
    parser.add_argument("--resume", action="store_true", help="keep what this model has already predicted there")
    add_engine_arguments(parser, of="the parts of manifest:FILE")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if any")


def _millimetres(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no size in mm; give numbers above 0; inputs stand before --spacing"
        )
    return value


def _method(text: str) -> str:
    if text not in METHODS:
        raise argparse.ArgumentTypeError(f"'{text}' is not of {', '.join(METHODS)}; inputs stand before --explain")
    return text


def _formats(text: str) -> tuple[ObjectFormat, ...]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in FORMATS]
    if unknown or not words:
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not of {', '.join(FORMATS)}, separated by commas")
    return tuple(word for word in OBJECT_FORMATS if word in words)


def run(arguments: argparse.Namespace) -> int:
    if any(text.startswith(MANIFEST) for text in arguments.inputs):
        from bustle.cli.predict_archive import run_archive

        return run_archive(arguments)
    refuse_ray_options(arguments)
    if arguments.engine != "local":
        from bustle.core.errors import InputError

        raise InputError(f"--engine {arguments.engine} is for archives", remedy=f"list the files in {MANIFEST}FILE")
    from bustle.core.progress import announce
    from bustle.inference.predictor import Predictor
    from bustle.inference.shipped import default_model
    from bustle.reading.picking import pick
    from bustle.reading.predict_inputs import PredictionRequest, predict_inputs

    def skip(error: InputError) -> None:
        announce(f"bustle: skipped: {error}")

    request = PredictionRequest(
        spacing=None if arguments.spacing is None else tuple(arguments.spacing),
        centre=None if arguments.centre is None else tuple(arguments.centre),
        save_probability=arguments.save_probability,
        explain=None if arguments.explain is None else tuple(arguments.explain),
        save_channels=arguments.save_channels,
        formats=arguments.format,
        page=arguments.report,
        resume=arguments.resume,
    )
    picked = pick(arguments.inputs, spacing=request.spacing)
    done = predict_inputs(
        lambda: Predictor.open(arguments.model or default_model(), device=arguments.device),
        picked,
        arguments.out,
        request=request,
        on_failure=skip,
    )
    _tell(done, arguments)
    return 0 if done.is_complete else 2


def _tell(done: PredictedInputs, arguments: argparse.Namespace) -> None:
    from bustle.experiments.own_outputs import ANSWERS_PAGE
    from bustle.inference.prediction_files import OBJECTS

    out = arguments.out
    for line in done.lines:
        print(line)
    counted = [(len(done.images), done.image_count, "images"), (len(done.clips), done.clip_count, "clips")]
    told = " and ".join(f"{count} of {total} {what}" for count, total, what in counted if total)
    print(f"{told} predicted by '{done.model}', written to {out}")
    if arguments.report:
        print(f"Page: {(out / ANSWERS_PAGE).resolve()}")
    if arguments.format:
        print(f"{len(done.objects)} DICOM objects, written to {out / OBJECTS}")
    if done.failures:
        total, kinds = done.image_count + done.clip_count, "images and clips" if done.clip_count else "images"
        print(f"bustle: {len(done.failures)} of {total} {kinds} could not be read", file=sys.stderr)
    if done.unread_frames:
        print(f"bustle: {done.unread_frames} frames of clips could not be read", file=sys.stderr)

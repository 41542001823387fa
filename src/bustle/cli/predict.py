"""`bustle predict`: masks, classes and measurements for images, clips and studies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.explanation import CHANNEL, METHODS
from bustle.core.paths import given_path

if TYPE_CHECKING:
    from bustle.core.errors import InputError
    from bustle.core.model_provenance import ModelProvenance
    from bustle.inference.inputs import InputImage
    from bustle.inference.predictor import Predictor
    from bustle.reading.clip_answer import ClipAnswer
    from bustle.reading.picking import Picked

OBJECT_FORMATS = ("seg", "sr", "key", "pdf")
FORMATS = ("png", "json", *OBJECT_FORMATS)

HELP = "Outline and classify lesions in images, clips, volumes or whole studies with a trained model."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="PNG, JPEG, BMP, TIFF, GIF, WebP, JPEG 2000 or AVIF image, NRRD, NIfTI or MHA volume, video, DICOM "
        "file, a folder (those directly in it, of DICOM files also those below), a ZIP archive, a pattern "
        "('scans/**/*.png'), or frames:FOLDER or frames:VIDEOS.csv for folders of the frames of clips",
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
        choices=METHODS,
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
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if any")


def _millimetres(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is no size in mm; give a number above 0")
    return value


def _formats(text: str) -> tuple[str, ...]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in FORMATS]
    if unknown or not words:
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not of {', '.join(FORMATS)}, separated by commas")
    return tuple(word for word in OBJECT_FORMATS if word in words)


def run(arguments: argparse.Namespace) -> int:
    from bustle.core.claimed_output import claim_folder
    from bustle.core.errors import InputError
    from bustle.core.files import remove_file
    from bustle.core.progress import announce
    from bustle.core.study_layout import StudyLayout
    from bustle.experiments.own_outputs import ANSWERS_PAGE, PREDICTIONS
    from bustle.experiments.predict import PredictionRun, predict_files
    from bustle.inference.prediction_files import OBJECTS, remove_objects
    from bustle.inference.predictor import Predictor
    from bustle.inference.shipped import default_model
    from bustle.reading.picking import pick
    from bustle.reading.read_clips import read_clips

    def skip(error: InputError) -> None:
        announce(f"bustle: skipped: {error}")

    spacing = None if arguments.spacing is None else tuple(arguments.spacing)
    picked = pick(arguments.inputs, spacing=spacing)
    clips, out = picked.clips, arguments.out
    images = (*picked.images, *picked.unread)
    if arguments.format:
        images = (*images, *picked.clip_frames)  # result objects are made of the frames' own predictions
    _check_formats(arguments.format, images)
    with claim_folder(out, PREDICTIONS) as claim:
        claim.refuse_inputs(image.path for image in images)
        claim.refuse_inputs(path for clip in clips for path in clip.files)
        claim.refuse_foreign()
        predictor = Predictor.open(arguments.model or default_model(), device=arguments.device)
        for warning in predictor.warnings:
            announce(f"bustle: warning: {warning}")
        if arguments.centre is not None and not predictor.data.needs_place:
            raise InputError("--centre is for volumes, this model takes images", remedy="leave it out")
        explain = () if arguments.explain is None else predictor.explanation_methods(arguments.explain)
        if arguments.save_channels:
            explain = (*explain, *predictor.explanation_methods([CHANNEL]))
        if clips and (explain or arguments.save_probability):
            announce("bustle: warning: frames of clips get no explanations and no probability maps, images do")
        claim.begin(clear=False)
        layout = StudyLayout(out)
        for path in (layout.summary, out / ANSWERS_PAGE, layout.frames, layout.contact_sheet):
            remove_file(path)  # they tell of the predictions before, as do the objects
        remove_objects(out)
        done = PredictionRun((), ())
        if images:
            done = predict_files(
                predictor,
                images,
                out,
                centre=None if arguments.centre is None else tuple(arguments.centre),
                spacing=spacing,
                save_probability=arguments.save_probability,
                explain=explain,
                resume=arguments.resume,
                on_failure=skip,
            )
        read = read_clips(predictor, clips, out, resume=arguments.resume, on_failure=skip)
        failures = {**dict(done.failures), **read.failures}
        objects: list[Path] = []
        unwritten: list[InputError] = []
        if arguments.format:
            predicted = [image for image in images if image.name not in dict(done.failures)]
            objects, unwritten = _write_objects(arguments, predicted, predictor)
            for error in unwritten:
                skip(error)
        lines = [f"{image.name}: {image.finding}" for image in done.predicted]
        if picked.is_study:
            lines += _summarised(
                out, picked, answers=read.answers, failures=failures, provenance=predictor.provenance
            )
        if arguments.report:
            from bustle.experiments.answers_report import write_answers_report

            write_answers_report(out, images, predictor=predictor, failures=dict(done.failures))
    for line in lines:
        print(line)
    counted = [(len(done.predicted), len(images), "images"), (len(read.answers), len(clips), "clips")]
    told = " and ".join(f"{count} of {total} {what}" for count, total, what in counted if total)
    print(f"{told} predicted by '{predictor.title}', written to {out}")
    if arguments.report:
        print(f"Page: {(out / ANSWERS_PAGE).resolve()}")
    if arguments.format:
        print(f"{len(objects)} DICOM objects, written to {out / OBJECTS}")
    unread = sum(len(answer.unread) for answer in read.answers.values())
    if failures:
        kinds = "images and clips" if clips else "images"
        print(f"bustle: {len(failures)} of {len(images) + len(clips)} {kinds} could not be read", file=sys.stderr)
    if unread:
        print(f"bustle: {unread} frames of clips could not be read", file=sys.stderr)
    return 2 if failures or unread or unwritten else 0


def _summarised(
    out: Path,
    picked: Picked,
    *,
    answers: Mapping[str, ClipAnswer],
    failures: Mapping[str, InputError],
    provenance: ModelProvenance,
) -> list[str]:
    """Write the summary of a study; returns the lines about its clips, and about the studies that have a name."""
    from bustle.reading.summary import write_summary
    from bustle.reading.told import told_of_clip, told_of_study

    summary = write_summary(out, picked, answers=answers, failures=failures, provenance=provenance)
    lines = [f"{name}: {told_of_clip(answer)}" for name, answer in answers.items()]
    return lines + [told_of_study(study) for study in summary.studies if study.study or study.patient]


def _check_formats(formats: Sequence[str], images: Sequence[InputImage]) -> None:
    """Raises `InputError`, before any work, for objects that cannot be made."""
    from bustle.core.errors import InputError
    from bustle.report.page_plots import can_draw_plots

    if formats and not any(image.dicom for image in images):
        raise InputError(
            f"--format {','.join(formats)} is about DICOM images, and none is given", remedy="leave it out"
        )
    if "pdf" in formats and not can_draw_plots():
        raise InputError("the page needs Matplotlib, which is not installed", remedy="pip install 'bustle[plots]'")


def _write_objects(
    arguments: argparse.Namespace, images: Sequence[InputImage], predictor: Predictor
) -> tuple[list[Path], list[InputError]]:
    """What was written, and what could not be."""
    from datetime import datetime

    from bustle.reading.reported_images import algorithm_of
    from bustle.reading.study_objects import write_study_objects

    spacing = arguments.spacing and f"spacing {' x '.join(map(str, arguments.spacing))} mm"
    errors: list[InputError] = []
    written = write_study_objects(
        arguments.out,
        images,
        formats=arguments.format,
        algorithm=algorithm_of(predictor.provenance, parameters=(spacing,) if spacing else ()),
        created=datetime.now().replace(microsecond=0),
        on_failure=errors.append,
    )
    return written, errors

"""Everything that was picked, predicted into one folder: images, clips, the summary of a study, result objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.claimed_output import ClaimedFolder, claim_folder
from bustle.core.errors import InputError
from bustle.core.explanation import CHANNEL, ExplanationMethod
from bustle.core.files import remove_file
from bustle.core.object_formats import ObjectFormat
from bustle.core.progress import announce
from bustle.core.study_layout import ClipLayout, StudyLayout
from bustle.experiments.own_outputs import ANSWERS_PAGE, PREDICTIONS
from bustle.experiments.predict import PredictedImage, PredictionRun, predict_files
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import prediction_folder, remove_objects
from bustle.inference.predictor import Predictor
from bustle.io.dicom.result_content import Algorithm
from bustle.reading.algorithm import algorithm_of
from bustle.reading.clip import Clip
from bustle.reading.clip_answer import ClipAnswer
from bustle.reading.picking import Picked
from bustle.reading.read_clips import ReadClips, read_clips
from bustle.reading.reported_clips import ReadClip
from bustle.reading.shown_frames import remove_shown_frames, write_shown_frames
from bustle.reading.summary import write_summary
from bustle.reading.told import told_of_clip, told_of_study

if TYPE_CHECKING:
    from bustle.report.answers_page import ShownAnswer


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What is asked for beside masks, classes and measurements.

    `spacing` (mm) replaces what the files say; `centre` (in voxels) tells where the lesion of every volume is. Empty
    `explain` means the best method that the model offers, None means none. `save_channels` are the maps that the
    network makes by itself. `formats` are those of result objects. `page` is one with every picture and its answer.
    With `resume` what the same model has written there is kept.
    """

    spacing: tuple[float, ...] | None = None
    centre: tuple[float, ...] | None = None
    save_probability: bool = False
    explain: tuple[ExplanationMethod, ...] | None = None
    save_channels: bool = False
    formats: tuple[ObjectFormat, ...] = ()
    page: bool = False
    resume: bool = False


@dataclass(frozen=True, kw_only=True)
class PredictedInputs:
    """What was predicted, of how many, by the model of this title; `failures` tell why the others were not, by name.

    `lines` are what a person reads. `unwritten` are the result objects that could not be made.
    """

    model: str
    images: tuple[PredictedImage, ...]
    image_count: int
    clips: Mapping[str, ClipAnswer]
    clip_count: int
    failures: Mapping[str, InputError]
    lines: tuple[str, ...]
    objects: tuple[Path, ...]
    unwritten: tuple[InputError, ...]

    @property
    def unread_frames(self) -> int:
        return sum(len(answer.unread) for answer in self.clips.values())

    @property
    def is_complete(self) -> bool:
        return not (self.failures or self.unread_frames or self.unwritten)


def predict_inputs(
    open_predictor: Callable[[], Predictor],
    picked: Picked,
    out: Path,
    *,
    request: PredictionRequest,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictedInputs:
    """Predict into `out/<name>`; `on_failure` hears at once of what cannot be read or written, the rest is done.

    The predictor is opened once `out` is known to be free. Raises `InputError` for a folder of somebody else, and for
    what the model or these inputs cannot give.
    """
    hear = on_failure or (lambda error: None)
    images = (*picked.images, *picked.unread)
    _check_formats(request.formats, picked)
    with claim_folder(out, PREDICTIONS) as claim:
        _refuse(claim, images, picked)
        predictor = open_predictor()
        for warning in predictor.warnings:
            announce(f"bustle: warning: {warning}")
        explain = _methods(predictor, request)
        claim.begin(clear=False)
        _remove_summaries(out)
        done = PredictionRun((), ())
        if images:
            done = predict_files(
                predictor,
                images,
                out,
                centre=request.centre,
                spacing=request.spacing,
                save_probability=request.save_probability,
                explain=explain,
                resume=request.resume,
                on_failure=on_failure,
            )
        algorithm = algorithm_of(predictor.provenance, parameters=_parameters(request))
        read = read_clips(
            predictor, picked.clips, out, algorithm=algorithm, resume=request.resume, on_failure=on_failure
        )
        read_ones = [
            ReadClip(clip=clip, answer=read.answers[clip.name], records=_records(out, clip))
            for clip in picked.clips
            if clip.name in read.answers
        ]
        if read_ones and (explain or request.save_probability):
            write_shown_frames(
                predictor,
                [(each.clip, each.answer) for each in read_ones],
                out,
                explain=explain,
                save_probability=request.save_probability,
                resume=request.resume,
                on_failure=on_failure,
            )
        elif not request.resume:
            for each in read_ones:
                remove_shown_frames(out, each.clip.name)
        unread = dict(done.failures)
        failures = {**unread, **read.failures}
        objects: list[Path] = []
        unwritten: list[InputError] = []
        if request.formats:
            predicted = [image for image in images if image.name not in unread]
            objects, unwritten = _write_objects(
                out, predicted, read_ones, algorithm=algorithm, formats=request.formats
            )
            for error in unwritten:
                hear(error)
        lines = [f"{image.name}: {image.finding}" for image in done.predicted]
        if picked.is_study:
            lines += _summarised(out, picked, read=read, failures=failures, predictor=predictor)
        if request.page:
            _write_page(out, images, read_ones, predictor=predictor, unread=unread, unread_clips=read.failures)
    return PredictedInputs(
        model=predictor.title,
        images=done.predicted,
        image_count=len(images),
        clips=read.answers,
        clip_count=len(picked.clips),
        failures=failures,
        lines=tuple(lines),
        objects=tuple(objects),
        unwritten=tuple(unwritten),
    )


def _check_formats(formats: Sequence[ObjectFormat], picked: Picked) -> None:
    """Raises `InputError`, before any work, for objects that cannot be made; what cannot be read is told later."""
    if formats and not picked.unread and not any(each.dicom for each in (*picked.images, *picked.clips)):
        raise InputError(
            f"--format {','.join(formats)} is about DICOM images, and none is given", remedy="leave it out"
        )
    if "pdf" in formats:
        from bustle.report.page_plots import can_draw_plots

        if not can_draw_plots():
            raise InputError(
                "the page needs Matplotlib, which is not installed", remedy="pip install 'bustle[plots]'"
            )


def _refuse(claim: ClaimedFolder, images: Sequence[InputImage], picked: Picked) -> None:
    """Raises `InputError` where inputs would be overwritten, or the folder holds what is somebody else's."""
    claim.refuse_inputs(image.path for image in images)
    claim.refuse_inputs(path for clip in picked.clips for path in clip.files)
    claim.refuse_foreign()


def _methods(predictor: Predictor, request: PredictionRequest) -> tuple[ExplanationMethod, ...]:
    if request.centre is not None and not predictor.data.needs_place:
        raise InputError("--centre is for volumes, this model takes images", remedy="leave it out")
    asked = () if request.explain is None else predictor.explanation_methods(request.explain)
    channels = predictor.explanation_methods([CHANNEL]) if request.save_channels else ()
    return (*asked, *channels)


def _remove_summaries(out: Path) -> None:
    """They tell of the predictions before, as do the result objects."""
    layout = StudyLayout(out)
    for path in (layout.summary, out / ANSWERS_PAGE, layout.frames, layout.contact_sheet):
        remove_file(path)
    remove_objects(out)


def _summarised(
    out: Path,
    picked: Picked,
    *,
    read: ReadClips,
    failures: Mapping[str, InputError],
    predictor: Predictor,
) -> list[str]:
    """Write the summary of a study; returns the lines about its clips, and about the studies that have a name."""
    summary = write_summary(
        out,
        picked,
        answers=read.answers,
        failures=failures,
        provenance=predictor.provenance,
    )
    lines = [f"{name}: {told_of_clip(answer)}" for name, answer in read.answers.items()]
    return lines + [told_of_study(study) for study in summary.studies if study.study or study.patient]


def _parameters(request: PredictionRequest) -> tuple[str, ...]:
    """What was asked for that changes an answer, in words."""
    return () if request.spacing is None else (f"spacing {' x '.join(map(str, request.spacing))} mm",)


def _records(out: Path, clip: Clip) -> Path:
    return ClipLayout(prediction_folder(out, clip.name)).records


def _write_page(
    out: Path,
    images: Sequence[InputImage],
    clips: Sequence[ReadClip],
    *,
    predictor: Predictor,
    unread: Mapping[str, InputError],
    unread_clips: Mapping[str, InputError],
) -> None:
    """The page of answers; a clip without one is a line, which names its folder and no file."""
    from bustle.experiments.answers_report import write_answers_report
    from bustle.reading.clips_on_page import shown_clip

    shown: list[ShownAnswer] = []
    without = dict(unread_clips)
    for clip in clips:
        try:
            shown.append(shown_clip(clip, out=out))
        except InputError as error:
            without[clip.clip.name] = error
    told = [str(InputError(error.problem, remedy=error.remedy, path=name)) for name, error in without.items()]
    write_answers_report(out, images, predictor=predictor, failures=unread, clips=shown, unread_clips=told)


def _write_objects(
    out: Path,
    images: Sequence[InputImage],
    clips: Sequence[ReadClip],
    *,
    algorithm: Algorithm,
    formats: Sequence[ObjectFormat],
) -> tuple[list[Path], list[InputError]]:
    """What was written, and what could not be."""
    from bustle.reading.study_objects import write_study_objects

    errors: list[InputError] = []
    written = write_study_objects(
        out,
        images,
        clips,
        formats=formats,
        algorithm=algorithm,
        created=datetime.now().replace(microsecond=0),
        on_failure=errors.append,
    )
    return written, errors

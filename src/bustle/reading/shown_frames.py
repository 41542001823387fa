"""The frames of a clip that a reader looks at, predicted like images: with their explanations and probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.explanation import ExplanationMethod
from bustle.experiments.pictures import Picture
from bustle.experiments.predict import predict_pictures
from bustle.inference.prediction_files import prediction_folder, remove_prediction
from bustle.inference.predictor import Predictor
from bustle.reading.clip import Clip
from bustle.reading.clip_answer import ClipAnswer

FOLDER = "frame-{}"


def frames_to_show(answer: ClipAnswer) -> tuple[int, ...]:
    """The frame that speaks for the clip, and the best one of the lesion that decides or, without, of the largest."""
    speaking = None if answer.verdict is None else answer.verdict.frame
    best = max(
        answer.lesions, key=lambda lesion: (lesion.number == answer.decided_by, lesion.maximum_area), default=None
    )
    found = (speaking, None if best is None else best.best.frame)
    return tuple(dict.fromkeys(frame for frame in found if frame is not None))


def shown_frame_folder(out: Path, clip: str, frame: int) -> Path:
    return prediction_folder(out, _name(clip, frame))


def _name(clip: str, frame: int) -> str:
    return f"{clip}/{FOLDER.format(frame)}"


def write_shown_frames(
    predictor: Predictor,
    clips: Sequence[tuple[Clip, ClipAnswer]],
    out: Path,
    *,
    explain: Sequence[ExplanationMethod],
    save_probability: bool,
    resume: bool,
    on_failure: Callable[[InputError], None] | None,
) -> None:
    """Write `out/<clip>/frame-<number>/` for `frames_to_show` of each clip, and remove those of other frames."""
    pictures: dict[str, Callable[[], Picture]] = {}
    for clip, answer in clips:
        frames = frames_to_show(answer)
        remove_shown_frames(out, clip.name, keep=frames)
        pictures |= {_name(clip.name, frame): partial(_picture, clip, frame) for frame in frames}
    predict_pictures(
        predictor,
        pictures,
        out,
        explain=explain,
        save_probability=save_probability,
        resume=resume,
        on_failure=on_failure,
    )


def _picture(clip: Clip, frame: int) -> Picture:
    image, geometry = clip.frame(frame)
    return Picture(_name(clip.name, frame), image, geometry, clip.files[0])


def remove_shown_frames(out: Path, clip: str, *, keep: Sequence[int] = ()) -> None:
    """Remove what an earlier command has written about other frames of a clip than those."""
    kept = {shown_frame_folder(out, clip, frame) for frame in keep}
    for folder in sorted(prediction_folder(out, clip).glob(FOLDER.format("*"))):
        if folder not in kept:
            remove_prediction(folder)
            folder.rmdir()

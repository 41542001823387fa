"""What was said of one picture, as rows of a table: one for each lesion, or one for a picture without any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from bustle.core.types import Prediction
from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.inference.prediction_record import ImageRecord, record_of
from bustle.reading.clip_answer import ClipAnswer

Kind = Literal["image", "frame", "clip"]
_PROBABILITY, _DESCRIPTOR = "probability_", "descriptor_"
_DESCRIPTORS = tuple(name for name, definition in DEFINITIONS.items() if 2 in definition.dims)


def answers_schema(classes: Sequence[str]) -> Any:
    """The columns of `answers/`; lengths are in `unit`, descriptors as `bustle.inference.descriptors.definitions`."""
    import pyarrow as pa

    whole, real, words = pa.int64(), pa.float64(), pa.list_(pa.string())
    return pa.schema(
        [
            ("sha256", pa.string()),
            ("kind", pa.string()),
            ("frame", whole),
            ("field", whole),
            ("frames", whole),
            ("image_height", whole),
            ("image_width", whole),
            ("row_spacing_mm", real),
            ("column_spacing_mm", real),
            ("unit", pa.string()),
            ("decision", pa.string()),
            *((f"{_PROBABILITY}{name}", real) for name in classes),
            ("possible", words),
            ("remarks", words),
            ("lesions", whole),
            ("lesion", whole),
            ("lesion_probability", real),
            ("area", real),
            ("long_axis", real),
            ("short_axis", real),
            *((f"box_{name}", whole) for name in ("y_start", "x_start", "y_stop", "x_stop")),
            *((f"{_DESCRIPTOR}{name}", real) for name in _DESCRIPTORS),
            ("problem", pa.string()),
        ]
    )


def masks_schema() -> Any:
    """The columns of `masks/`: a picture of 0 and 255 for each row's image that has an outline."""
    import pyarrow as pa

    return pa.schema([("sha256", pa.string()), ("frame", pa.int64()), ("field", pa.int64()), ("png", pa.binary())])


def rows_of_picture(
    prediction: Prediction,
    *,
    sha256: str,
    kind: Kind,
    frame: int | None,
    field: int | None,
    descriptors: Sequence[LesionDescriptors] = (),
) -> Iterator[dict[str, Any]]:
    """`field` counts the pictures that one DICOM frame shows beside each other from 1; None of one alone."""
    record = record_of(prediction, descriptors=descriptors)
    assert isinstance(record, ImageRecord)
    answer = record.answer
    probabilities = record.class_probabilities if answer is None else answer.probabilities
    height, width = prediction.geometry.original_size
    row_spacing, column_spacing = prediction.geometry.spacing or (None, None)
    lesions = record.drawn.lesions or ()
    shared = {
        "sha256": sha256,
        "kind": kind,
        "frame": frame,
        "field": field,
        "image_height": height,
        "image_width": width,
        "row_spacing_mm": row_spacing,
        "column_spacing_mm": column_spacing,
        "unit": record.unit,
        "decision": record.decision,
        **_by_class(probabilities),
        "possible": None if answer is None else list(answer.possible),
        "remarks": list(record.remarks),
        "lesions": len(lesions),
    }
    for number, lesion in enumerate(lesions, start=1):
        box, described = lesion.box, lesion.descriptors
        yield shared | {
            "lesion": number,
            "lesion_probability": lesion.probability,
            "area": lesion.area,
            "long_axis": lesion.long_axis,
            "short_axis": lesion.short_axis,
            "box_y_start": box.y_start,
            "box_x_start": box.x_start,
            "box_y_stop": box.y_stop,
            "box_x_stop": box.x_stop,
            **{
                f"{_DESCRIPTOR}{name}": value
                for name, value in ({} if described is None else described.values).items()
            },
        }
    if not lesions:
        yield shared


def row_of_clip(answer: ClipAnswer, *, sha256: str, field: int | None) -> dict[str, Any]:
    """The one answer about a clip, beside the rows of its frames."""
    verdict = answer.verdict
    return {
        "sha256": sha256,
        "kind": "clip",
        "field": field,
        "frames": answer.frames,
        "unit": answer.unit,
        "lesions": len(answer.lesions),
        **(
            {}
            if verdict is None
            else {
                "decision": verdict.decision,
                **_by_class(verdict.probabilities),
                "possible": list(verdict.possible),
            }
        ),
    }


def row_of_problem(sha256: str, problem: str, *, frame: int | None = None) -> dict[str, Any]:
    return {"sha256": sha256, "frame": frame, "problem": problem}


def _by_class(probabilities: Mapping[str, float] | None) -> dict[str, float]:
    return {f"{_PROBABILITY}{name}": value for name, value in (probabilities or {}).items()}

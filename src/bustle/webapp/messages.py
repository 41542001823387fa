"""What the API takes and gives, as pydantic models: they check what is sent, and describe it in its OpenAPI."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bustle.webapp.tables import CaseKind, Side, Verdict

Coordinate = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Point = tuple[Coordinate, Coordinate]
"""x, y in pixels from the centre of the picture's first one."""

Outlines = list[list[Point]]
Birads = Literal["0", "1", "2", "3", "4", "4A", "4B", "4C", "5", "6"]
CaseStatus = Literal["unread", "new", "read", "signed"]
"""`unread`: its file could not be read; `new`: no person has said anything; `read`: one has."""

ExportFormat = Literal["png", "json", "pdf", "seg", "sr"]
FlagKind = Literal[
    "other_picture",
    "seen",
    "copy",
    "suspected",
    "two_frames",
    "inverted",
    "few_pixels",
    "colour",
    "cut_off",
    "seems_cut_off",
    "marks",
    "no_spacing",
]
DropState = Literal["open", "waiting", "running", "done", "failed"]
MOST_NOTE = 4000


def _readable(text: str) -> str:
    """Raises `ValueError` for characters that nobody sees, such as a zero, and for halves of characters."""
    if not all(character.isprintable() or character in "\n\t" for character in text):
        raise ValueError("the text holds characters that cannot be shown")
    return text


UtcTime = Annotated[datetime, AfterValidator(lambda kept: kept.replace(tzinfo=UTC))]
"""Of the tables, which keep UTC without saying so; in JSON it ends with Z."""

Text = Annotated[str, AfterValidator(_readable)]

SignedName = Annotated[Text | None, Field(min_length=1, max_length=200, pattern=r"\S")]
Responses = dict[int | str, dict[str, Any]]
"""What else a route may answer, as FastAPI takes it."""


class Message(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Problem(Message):
    """Why something was not done. `code` stands for the words and stays, `values` are those in them.

    What is wrong with a file has no code.
    """

    detail: str
    code: str | None = None
    values: dict[str, str | int] = {}


class About(Message):
    """The server and its model. The bands are between which probabilities an answer stays open."""

    version: str
    model: str
    model_digest: str
    classes: list[str]
    refer_band: tuple[float, float] | None
    lesion_band: tuple[float, float] | None
    most_bytes: int
    disclaimer: str


class NewDrop(Message):
    id: str


class DroppedFileInfo(Message):
    """A file of a drop; `problem` says why nothing of it could be read, `remarks` what was noticed in it."""

    id: str
    name: str
    size: int
    problem: str | None = None
    remarks: list[str] = []


class NewUpload(Message):
    """A file that will come in parts: its own name, and how many bytes it has."""

    name: Text = Field(max_length=1000)
    size: int = Field(ge=1)


class UploadInfo(Message):
    """`sent` bytes have arrived; when all have, `file` is a file of the drop."""

    id: str
    size: int
    sent: int
    file: DroppedFileInfo | None


class DropInfo(Message):
    """How far a drop is: `done` of `total` pictures; `total` is None until its files have been looked into."""

    id: str
    state: DropState
    done: int
    total: int | None
    reason: str | None
    files: list[DroppedFileInfo]


class CaseSummary(Message):
    """A row of the worklist. `malignant` is the calibrated probability, `read_again` counts second readings.

    Of a `frame` that was taken out of a clip, `clip_id` names the clip's case. `patient` is a pseudonym, made of the
    number in the file: cases of one person have the same.
    """

    id: str
    drop: str
    name: str
    patient: str | None
    kind: CaseKind
    status: CaseStatus
    problem: str | None
    decision: str | None
    malignant: float | None
    verdict: Verdict | None
    birads: Birads | None
    read_again: int
    clip_id: str | None
    frame: int | None
    made: UtcTime


class PatientNumber(Message):
    """As it stands in DICOM files (Patient ID)."""

    number: Text = Field(min_length=1, max_length=64)


class PatientCases(Message):
    """Whose pseudonym it is, and the cases of that person."""

    patient: str
    cases: list[str]


class Moved(Message):
    """A descriptor that moves the probability of malignant by `change`."""

    descriptor: str
    words: str
    value: float
    change: float


class AnswerInfo(Message):
    """`probabilities` are calibrated where `calibrated`; `possible` are the classes that cannot be excluded."""

    decision: str | None
    probabilities: dict[str, float]
    calibrated: bool
    possible: list[str]
    moved_by: list[Moved]


class MeasuredValue(Message):
    """One measured descriptor; `unit` is empty of a ratio."""

    name: str
    title: str
    value: float
    unit: str


class DescribedLesion(Message):
    """What was measured of a lesion. `words` are those of BI-RADS by what they describe."""

    touches_edge: bool | None
    words: dict[str, str]
    values: list[MeasuredValue]


class LesionInfo(DescribedLesion):
    """A lesion, the largest first; lengths in `unit`."""

    number: int
    outline: list[Point]
    area: float
    long_axis: float
    short_axis: float
    unit: Literal["mm", "px"]
    probability: float


class Flag(Message):
    """Something that a reader must know first."""

    kind: FlagKind


class ExplanationInfo(Message):
    """A map of what moved the answer; its picture is `/api/cases/{id}/explanations/{number}`."""

    number: int
    title: str
    class_name: str | None
    value: str


class SimilarTrainingCase(Message):
    """A training case that looks like this one to the network: its data set, class and distance, never a picture.

    A distance of 1 is the median one from a training case to the nearest other one.
    """

    source: str
    class_name: str
    distance: float


class Location(Message):
    """Where in the breast it is: side, the hour as one looks at the breast, and the distance to the nipple."""

    side: Side | None = None
    clock: int | None = Field(default=None, ge=1, le=12)
    nipple_mm: float | None = Field(default=None, ge=0, le=300, allow_inf_nan=False)


class ReadingInfo(Location):
    """What a reader said; `outlines` are theirs, None where the model's are left."""

    version: int
    made: UtcTime
    verdict: Verdict
    outlines: Outlines | None
    birads: Birads | None
    note: str
    reader: str | None
    signed: UtcTime | None


class AddendumInfo(Message):
    made: UtcTime
    reader: str
    text: str


class SecondReadingInfo(Message):
    """What somebody else says of a signed case."""

    made: UtcTime
    reader: str
    verdict: Verdict
    outlines: Outlines | None
    birads: Birads | None
    note: str


class CaseDetail(CaseSummary):
    """All about a case. `answer` and `lesions` are the model's own; `reading` is the newest of `version`.

    `model_digest` stands for the model that made the answer, which need not be the one that is in use.
    """

    width: int
    height: int
    spacing_mm: tuple[float, float] | None
    answer: AnswerInfo | None
    model_digest: str | None
    lesions: list[LesionInfo]
    flags: list[Flag]
    similar_cases: list[SimilarTrainingCase]
    explanations: list[ExplanationInfo]
    exports: list[ExportFormat]
    version: int
    reading: ReadingInfo | None
    measured: Measured | None
    addenda: list[AddendumInfo]
    second_readings: list[SecondReadingInfo]


class Measured(Message):
    """What outlines make of measurements and answer; `answer` is None where the model was not asked again."""

    lesions: list[LesionInfo]
    answer: AnswerInfo | None


class OutlinesToMeasure(Message):
    outlines: Outlines


class NewReading(Location):
    """What a reader says, having seen `version` of the case. A `corrected` one has `outlines`, others have none."""

    version: int = Field(ge=0)
    verdict: Verdict
    outlines: Outlines | None = None
    birads: Birads | None = None
    note: Text = Field(default="", max_length=MOST_NOTE)


class NewAddendum(Message):
    """`reader` as of a signature."""

    text: Text = Field(min_length=1, max_length=MOST_NOTE, pattern=r"\S")
    reader: SignedName = None


class NewSecondReading(Message):
    """As a `NewReading`, signed at once; `reader` as of a signature."""

    verdict: Verdict
    outlines: Outlines | None = None
    birads: Birads | None = None
    note: Text = Field(default="", max_length=MOST_NOTE)
    reader: SignedName = None


class Signature(Message):
    """Of the reading of this `version`. Who has no account writes a name; the others sign with their account's."""

    version: int = Field(ge=1)
    reader: SignedName = None


CaseDetail.model_rebuild()

"""A manifest of files to tables of answers, each different content once, whoever does the work."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bustle.archive.answers import AnsweredPart, AnswersOfPart, answered_contents
from bustle.archive.contents import Contents, ContentsOfPart, is_digested, remove_contents_from
from bustle.archive.division import PartDivision
from bustle.archive.layout import ARCHIVE, ArchiveLayout
from bustle.archive.listed import ROWS_PER_PART, listed_parts
from bustle.archive.places import check_packages
from bustle.archive.tables import read_rows
from bustle.core.claimed_output import claim_folder
from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, remove_file, write_json
from bustle.core.model_provenance import ModelProvenance
from bustle.experiments.engines.engine import Engine, Shown, unseen
from bustle.inference.predictor import Predictor

CONTENTS_PER_PART = 64
MOST_CONTENTS_PER_PART = 400
"""What is lost with a process that dies: a minute's work of the reference model on one processor."""
MANY_PARTS = 4096


@dataclass(frozen=True, kw_only=True)
class ArchiveSettings:
    """The content of `archive.json`: the model, and into how many parts its answers are divided.

    Of an archive that has grown, the first `undivided` parts may still hold what belongs to later ones.
    """

    parts: int
    undivided: int | None = None
    provenance: ModelProvenance


@dataclass(frozen=True, kw_only=True)
class ArchiveSummary:
    """The content of `summary.json`.

    Of the `rows` of the manifest, `unread` name a file that cannot be had, and `copies` one whose content stands in
    an earlier row. Of the `contents`, `failed` could not be answered. `frames` are those of clips, of which
    `unread_frames` could not be read. `decisions` count images and clips.
    """

    model: str
    rows: int
    unread: int
    copies: int
    contents: int
    failed: int
    frames: int
    unread_frames: int
    lesions: int
    decisions: Mapping[str, int]

    @property
    def is_complete(self) -> bool:
        return not (self.unread or self.failed or self.unread_frames)


def predict_archive(
    open_predictor: Callable[[], Predictor], manifest: Path, out: Path, *, engine: Engine, resume: bool = False
) -> ArchiveSummary:
    """Answer the files of a manifest into `out`, which every machine of the engine sees under this path.

    With `resume` what the same model has answered there stays, also where the manifest has grown since. Raises
    `InputError` for a manifest that is none, places that a missing package reads, a folder of somebody else, the
    answers of another model, and a model of volumes.
    """
    manifest, out = manifest.absolute(), out.absolute()
    layout = ArchiveLayout(out)
    with claim_folder(out, ARCHIVE) as claim:
        claim.refuse_inputs([manifest])
        claim.refuse_foreign()
        rows = 0
        for part in listed_parts(manifest):
            check_packages(part.places)
            rows += len(part.places)
        if not rows:
            raise InputError("has no rows", remedy="list at least one file", path=manifest)
        predictor = open_predictor()
        if len(predictor.data.size) != 2:
            raise InputError(
                "answers of archives are about images and clips, this model takes volumes",
                remedy="name volumes to `bustle predict` itself",
            )
        settings = _settings(layout, predictor) if resume else None
        claim.begin(clear=not resume)
        remove_file(layout.summary)
        missing = {
            part.number for part in listed_parts(manifest) if not is_digested(layout.contents(part.number), part)
        }
        engine.run(
            ContentsOfPart(out, manifest.parent),
            (part for part in listed_parts(manifest) if part.number in missing),
            shown=Shown("list", "part", len(missing)),
        )
        remove_contents_from(layout, part=math.ceil(rows / ROWS_PER_PART))
        contents = Contents.read(layout, rows=rows)
        wanted = parts_for(len(contents.places))
        if settings is None:
            settings = ArchiveSettings(parts=wanted, provenance=predictor.provenance)
            write_json(layout.settings, to_mapping(settings))
        parts = _divided(layout, settings, wanted=wanted, engine=engine)
        engine.run(
            AnswersOfPart(out, manifest.parent, predictor),
            _unanswered(layout, contents, parts=parts),
            shown=Shown("answer", "part", parts),
        )
        summary = _summary(layout, contents, rows=rows, parts=parts, title=predictor.title)
        write_json(layout.summary, to_mapping(summary))
    return summary


def parts_for(contents: int) -> int:
    """How many parts so many contents are divided into.

    Small ones give many processes work; where there are many, larger ones keep the number of files down.
    """
    small, large = (math.ceil(contents / size) for size in (CONTENTS_PER_PART, MOST_CONTENTS_PER_PART))
    return max(1, min(small, MANY_PARTS), large)


def _settings(layout: ArchiveLayout, predictor: Predictor) -> ArchiveSettings | None:
    """Those of an earlier call; raises `InputError` where its answers are another model's."""
    if not layout.settings.exists():
        return None
    settings = from_mapping(ArchiveSettings, read_json(layout.settings), where="archive")
    if not predictor.provenance.same_answers_as(settings.provenance):
        raise InputError(
            f"holds the answers of another model ({settings.provenance.title})",
            remedy="name that model, or choose another --out",
            path=layout.path,
        )
    return settings


def _divided(layout: ArchiveLayout, settings: ArchiveSettings, *, wanted: int, engine: Engine) -> int:
    """The number of parts, which doubles where an archive has, so that answers move seldom; see `PartDivision`."""
    if settings.undivided is None:
        times = 1 << (max(1, wanted // settings.parts).bit_length() - 1)
        if times == 1:
            return settings.parts
        settings = replace(settings, parts=settings.parts * times, undivided=settings.parts)
        write_json(layout.settings, to_mapping(settings))
    assert settings.undivided is not None
    engine.run(
        PartDivision(layout.path, settings.parts),
        range(settings.undivided),
        shown=Shown("divide", "part", settings.undivided),
    )
    settings = replace(settings, undivided=None)
    write_json(layout.settings, to_mapping(settings))
    return _divided(layout, settings, wanted=wanted, engine=engine)  # it may have grown since the division began


def _unanswered(layout: ArchiveLayout, contents: Contents, *, parts: int) -> Iterator[AnsweredPart]:
    for number, found in enumerate(contents.divided(parts)):
        if not {sha256 for sha256, _ in found} <= answered_contents(layout.answers(number)):
            yield AnsweredPart(number, found)


def _summary(layout: ArchiveLayout, contents: Contents, *, rows: int, parts: int, title: str) -> ArchiveSummary:
    """Counts what is listed now: answers of what a manifest has lost stay and do not count.

    Raises `InputError` where other machines have written elsewhere.
    """
    written = set(layout.answer_files())
    different = failed = frames = unread_frames = lesions = 0
    decisions: Counter[str] = Counter()
    for number, found in enumerate(contents.divided(parts)):
        if found and layout.answers(number) not in written:
            raise unseen(layout.path)
        listed = {sha256 for sha256, _ in found}
        different += len(listed)
        failed += len(listed - answered_contents(layout.answers(number)))
        columns = ["sha256", "kind", "frame", "decision", "lesion", "problem"]
        for row in read_rows(layout.answers(number), columns):
            if row["sha256"] not in listed:
                continue
            is_first = row["lesion"] in (None, 1)
            is_unread = row["problem"] is not None and row["frame"] is not None
            unread_frames += is_unread
            frames += is_unread or (row["kind"] == "frame" and is_first)
            lesions += row["kind"] == "image" and row["lesion"] is not None
            if row["kind"] in ("image", "clip") and is_first and row["decision"] is not None:
                decisions[row["decision"]] += 1
    return ArchiveSummary(
        model=title,
        rows=rows,
        unread=contents.unread,
        copies=len(contents.places) - different,
        contents=different,
        failed=failed,
        frames=frames,
        unread_frames=unread_frames,
        lesions=lesions,
        decisions=dict(sorted(decisions.items())),
    )

"""What each command leaves in its `--out` folder, for the one rule of `bustle.core.claimed_output`."""

from __future__ import annotations

from pathlib import Path

from bustle.core.claimed_output import OutputKind
from bustle.core.own_names import OwnNames
from bustle.core.run_layout import (
    RECIPE,
    SPLITS,
    SUMMARY,
    comparison_names,
    evaluation_names,
    run_names,
    training_names,
)
from bustle.core.study_layout import CLIP_FILES, CLIP_SIGNED_BY, STUDY_FILES
from bustle.inference.prediction_files import (
    CHANNELS,
    EXPLANATION_MAPS,
    EXPLANATIONS,
    MASK,
    NETWORK_MASK,
    OBJECTS,
    OVERLAY,
    PICTURE_SUFFIX,
    PROBABILITY,
    RAW_MASK,
    RECORD,
    VOLUME_SUFFIX,
)

ANSWERS_PAGE = "answers.html"
ACCEPTANCE_RECORD, ACCEPTANCE_PAGE, EVALUATION_FOLDER = "acceptance.json", "acceptance.html", "evaluation"
LEAKAGE_RECORD, LEAKAGE_PAGE = "leakage.json", "leakage.html"
GENERALISATION_RECORD, GENERALISATION_PAGE = "generalisation.json", "generalisation.html"
REPRODUCTION_SETTINGS = "reproduction.json"
CHALLENGE_RESULT, CHALLENGE_CASES = "challenge.json", "challenge_cases.csv"

_MAPS = (MASK, NETWORK_MASK, RAW_MASK, PROBABILITY, *EXPLANATION_MAPS.values())
_VOLUME_MAPS = tuple(str(Path(name).with_suffix(VOLUME_SUFFIX)) for name in _MAPS)
_CHANNELS = (f"{CHANNELS}{PICTURE_SUFFIX}", f"{CHANNELS}{VOLUME_SUFFIX}")
_CASE_FILES = (RECORD, OVERLAY, *EXPLANATIONS.values(), *_MAPS, *_VOLUME_MAPS, *_CHANNELS)
_SIGNED_BY = (RECORD, OVERLAY)
"""The overlay is written first; a `mask.png` alone may be that of any other tool."""

_CASE = OwnNames(files=_CASE_FILES, signed_by=_SIGNED_BY)
_CASE_OR_SOURCE = OwnNames(files=_CASE_FILES, folders={"*": _CASE}, signed_by=_SIGNED_BY)
_PREDICTIONS = OwnNames(folders={"*": _CASE_OR_SOURCE})

PREDICTION = OutputKind("predict", "a prediction", _CASE)
"""Of one image, in a folder of its own."""

_OBJECTS = OwnNames(files=("*.dcm", *_CASE_FILES))
"""An image may bear the folder's name, too."""

_CASE_OR_CLIP = OwnNames(
    files=(*_CASE_FILES, *CLIP_FILES), folders={"*": _CASE}, signed_by=(*_SIGNED_BY, *CLIP_SIGNED_BY)
)
PREDICTIONS = OutputKind(
    "predict",
    "the predictions",
    OwnNames((ANSWERS_PAGE, *STUDY_FILES), {OBJECTS: _OBJECTS, "*": _CASE_OR_CLIP}, (ANSWERS_PAGE, SUMMARY)),
)
EVALUATION = OutputKind("evaluate", "an evaluation", evaluation_names(_PREDICTIONS))
ACCEPTANCE = OutputKind(
    "accept",
    "an acceptance test",
    OwnNames(
        (ACCEPTANCE_RECORD, ACCEPTANCE_PAGE),
        {EVALUATION_FOLDER: evaluation_names(_PREDICTIONS)},
        (ACCEPTANCE_RECORD,),
    ),
)
CHALLENGE = OutputKind(
    "evaluate --challenge",
    "a scored submission",
    OwnNames((CHALLENGE_RESULT, CHALLENGE_CASES), {}, (CHALLENGE_RESULT,)),
)
COMPARISON = OutputKind("compare", "a comparison", comparison_names())
RUN = OutputKind("train", "a run", run_names(_PREDICTIONS))
SWEEP = OutputKind(
    "sweep",
    "a sweep",
    OwnNames(
        ("sweep.json", RECIPE, SPLITS, "trials.csv", "trials.lock", "best.yaml", SUMMARY),
        {"trial-*": OwnNames(("trial.json",), {"seed-*": training_names()})},
        ("sweep.json",),
    ),
)

_STUDY_RUNS = OwnNames(folders={"seed-*": OwnNames(folders={"*": run_names(_PREDICTIONS)})})
LEAKAGE = OutputKind(
    "study leakage", "a study", OwnNames((LEAKAGE_RECORD, LEAKAGE_PAGE), {"*": _STUDY_RUNS}, (LEAKAGE_RECORD,))
)

_MATRIX_ROW = OwnNames(folders={"run": run_names(_PREDICTIONS), "on-*": evaluation_names(_PREDICTIONS)})
GENERALISATION = OutputKind(
    "study generalise",
    "a study",
    OwnNames((GENERALISATION_RECORD, GENERALISATION_PAGE), {"*": _MATRIX_ROW}, (GENERALISATION_RECORD,)),
)

_REPEATS = OwnNames(folders={"seed-*": run_names(_PREDICTIONS)})
REPRODUCTION = OutputKind(
    "reproduce",
    "a reproduction",
    OwnNames(
        (REPRODUCTION_SETTINGS, "*-*.json", "*-*.html", "*-*.md"),
        {"runs": OwnNames(folders={"*-on-*": OwnNames(folders={"published": _REPEATS, "strict": _REPEATS})})},
        (REPRODUCTION_SETTINGS,),
    ),
)

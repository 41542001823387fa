"""What a model was trained on, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from bustle.core.run_provenance import TaughtCases

UNKNOWN = "What was used to train this model is not recorded."
FOREIGN = "What was used to train this method is not known here: whether it has seen these images cannot be told."


def trained_on(taught: Sequence[TaughtCases], *, networks: int, volumes: bool) -> str:
    """Sources, cases, patients and classes; `networks` is the number of folds whose networks count."""
    if not taught:
        return UNKNOWN
    things = "volumes" if volumes else "images"
    sources = _listed([_source(part, things=things) for part in taught])
    text = f"The model was trained, and its epoch chosen, on {sources}."
    if any(part.patients is None for part in taught):
        return f"The model was trained with {sources}; of what classes and patients is not recorded."
    if networks > 1:
        text += f" Each of the {networks} networks left out the {things} of its own fold, on which it was tested."
    return text


def _source(part: TaughtCases, *, things: str) -> str:
    text = f"{part.cases:,} {things[:-1] if part.cases == 1 else things} of {part.source}"
    if part.classes:
        text += f" ({', '.join(f'{count:,} {name}' for name, count in part.classes.items())}{_unlabelled(part)})"
    elif part.patients is not None:
        text += " without classes"
    if part.patients:
        text += f" from {part.patients:,} patient{'s' * (part.patients != 1)}"
        text += f" and {part.without_patient:,} without a patient id" if part.without_patient else ""
    elif part.patients is not None:
        text += " from patients that are not named"
    return text


def _unlabelled(part: TaughtCases) -> str:
    count = part.cases - sum(part.classes.values())
    return f", {count:,} without a class" if count else ""


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])}, and {texts[-1]}"

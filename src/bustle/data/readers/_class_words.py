"""The classes in the words that people and data sets use for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError, unknown_name
from bustle.core.types import CLASS_NAMES, Label
from bustle.io.names import normal_form
from bustle.io.tables import cell_text

OPTION = "what the words for classes mean, such as `labels=B:benign,M:malignant` or `labels=0:benign,1:malignant`"

_WORDS: Mapping[Label, tuple[str, ...]] = {
    "benign": ("b", "benign", "benigno", "benigna", "benigne", "bénigne", "bénin", "benin", "gutartig"),
    "malignant": ("m", "malignant", "malign", "maligno", "maligna", "maligne", "malin", "bösartig"),
    "normal": ("n", "normal", "normale"),
}
_KNOWN: Mapping[str, Label] = {word: label for label in CLASS_NAMES for word in _WORDS[label]}


@dataclass(frozen=True)
class ClassWords:
    """The words that are known by themselves, and those whose meaning was told (`told`, in lower case)."""

    told: Mapping[str, Label] = field(default_factory=dict)

    @classmethod
    def of_option(cls, text: str) -> ClassWords:
        """From `B:benign,M:malignant`. Raises `InputError` for another form."""
        told: dict[str, Label] = {}
        for part in filter(None, text.split(",")):
            word, colon, label = part.rpartition(":")
            if not colon or not word.strip():
                raise InputError(f"labels={text} is no mapping", remedy="write labels=B:benign,M:malignant")
            meant: Label | None = next((known for known in CLASS_NAMES if known == label.strip().lower()), None)
            if meant is None:
                raise unknown_name("class name", label.strip(), CLASS_NAMES)
            told[_folded(word)] = meant
        return cls(told)

    def meaning(self, word: Any) -> Label | None:
        """None for a word that means no class."""
        folded = _folded(cell_text(word))
        return self.told.get(folded) or _KNOWN.get(folded)

    def parse(self, word: Any, *, path: Path) -> Label | None:
        """As `meaning`; '' is an absent class. Raises `InputError` for a word that means none."""
        text = cell_text(word)
        label = self.meaning(text)
        if text and label is None:
            numbers = "it may count either way" if text.isdecimal() else "known are the classes and B, M, N"
            raise InputError(
                f"'{text}' is no class that is known ({numbers})",
                remedy=f"say what the words mean, as in ?labels={text}:benign",
                path=path,
            )
        return label


def _folded(word: str) -> str:
    return normal_form(word).lower()

"""Every message about a dropped file has its German words: the page finds them by the English ones."""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bustle.data.blank_pictures import nothing_in
from bustle.io.dicom.image import TALL_PIXELS
from bustle.io.dicom.regions import CROPPED
from bustle.io.foreign_formats import _FORMATS
from bustle.webapp.read_drop import NO_VOLUME_MODEL

PHRASES: dict[str, str] = json.loads(
    (Path(__file__).parents[2] / "page/src/phrases_de.json").read_text(encoding="utf-8")
)
FILLING = "7"
REFUSING = {"InputError", "damaged", "_unsafe", "_too_large", "_too_little_memory"}
"""What makes an error of words."""

READING = [
    "bustle.core.memory",
    "bustle.data.archives",
    "bustle.io.bit_depth",
    "bustle.io.dicom.encapsulation",
    "bustle.io.dicom.frames",
    "bustle.io.dicom.header",
    "bustle.io.dicom.image",
    "bustle.io.dicom.pictures",
    "bustle.io.dicom.video_stream",
    "bustle.io.dicom.volume",
    "bustle.io.raster",
    "bustle.io.video",
    "bustle.io.volume",
    "bustle.io.volume_files",
    "bustle.io.volume_files.metaimage",
    "bustle.io.volume_files.nifti",
    "bustle.io.volume_files.nrrd",
    "bustle.io.volume_files.stored_volume",
    "bustle.reading.clip",
    "bustle.webapp.dropped_file",
]
"""The modules that look into a dropped file."""


@pytest.mark.parametrize("module", READING)
def test_what_is_wrong_with_a_file_is_said_in_german(module: str):
    messages = set(messages_of(importlib.import_module(module)))
    assert messages
    assert not sorted(part for message in messages for part in message.split("; ") if not is_known(part))


def test_what_is_noticed_in_a_file_and_said_of_a_volume_without_a_model_is_said_in_german():
    nothing = [np.full((1, 64, 64), 9, np.uint8), np.random.default_rng(0).integers(0, 256, (1, 64, 64), np.uint8)]
    said = [nothing_in(picture) for picture in nothing] + NO_VOLUME_MODEL.split("; ")
    said += [CROPPED, TALL_PIXELS.format(aspect=2)]
    assert not [words for words in said if words is None or not is_known(words)]


def test_what_a_file_is_instead_of_an_image_is_said_in_german():
    assert not sorted({name for name, _ in _FORMATS} - PHRASES.keys())


def test_each_phrase_has_the_same_holes_in_both_languages():
    for english, german in PHRASES.items():
        assert sorted(set(holes(english))) == sorted(set(holes(german))), english


def is_known(said: str) -> bool:
    """As `inPageLanguage` of the page looks for it."""
    return any(re.fullmatch(re.sub(r"\\{\d\\}", "(.*)", re.escape(english)), said) for english in PHRASES)


def holes(words: str) -> list[str]:
    return re.findall(r"\{\d\}", words)


def messages_of(module: ModuleType) -> Iterator[str]:
    """The problems and remedies of every error that a module makes, with its constants in them."""
    tree = ast.parse(inspect.getsource(module))
    returned = {
        node.name: [text_of(each.value, module) for each in ast.walk(node) if isinstance(each, ast.Return)]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in REFUSING:
            for given in (*call.args, *(word.value for word in call.keywords if word.arg == "remedy")):
                if isinstance(given, ast.Call) and isinstance(given.func, ast.Name):
                    yield from filter(None, returned.get(given.func.id, []))
                elif (text := text_of(given, module)) is not None:
                    yield text


def text_of(node: ast.expr | None, module: ModuleType) -> str | None:
    """A text as it is said, with any value in its holes; None of what another module says."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        value = getattr(module, node.id, None)
        return value if isinstance(value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [
            part.value if isinstance(part, ast.Constant) else text_of(part.value, module) or FILLING
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        ]
        text = "".join(str(part) for part in parts)
        return text if re.search("[a-z]", text) else None
    return None

from __future__ import annotations

import pickle
from pathlib import Path

from bustle.core.errors import BustleError, InputError, TrainingInterruptedError, unknown_name


def test_message_is_one_line_that_names_file_problem_and_remedy():
    error = InputError("is not\n  an image", remedy="save it again", path=Path("a/b.png"))
    assert str(error) == "a/b.png: is not an image; save it again"
    assert isinstance(error, BustleError)


def test_message_without_a_file():
    assert str(InputError("nothing to do", remedy="give a file")) == "nothing to do; give a file"


def test_another_process_gets_the_same_error():
    error = TrainingInterruptedError("interrupted", remedy="go on", path=Path("a/b"))
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is TrainingInterruptedError
    assert (found.problem, found.remedy, found.path) == (error.problem, error.remedy, error.path)


def test_unknown_name_lists_the_nearest_first_and_all_known():
    error = unknown_name("reader", "bus-bar", ["folder", "bus-bra", "busi"])
    assert error.problem == "unknown reader 'bus-bar'"
    assert error.remedy.startswith("did you mean bus-bra")
    assert error.remedy.endswith("Known: bus-bra, busi, folder")


def test_unknown_name_without_a_near_one_or_without_any():
    assert unknown_name("key", "zzzz", ["epochs"]).remedy == "known: epochs"
    assert unknown_name("key", "zzzz", []).remedy == "known: none"


def test_hundreds_of_known_names_are_not_all_listed():
    remedy = unknown_name("backbone", "net-7x", [f"net-{number}" for number in range(900)]).remedy
    assert remedy.startswith("did you mean net-7")
    assert remedy.endswith("… (900 in all)")
    assert len(remedy) < 500


def test_control_characters_and_stray_bytes_of_a_name_are_told_as_escapes():
    error = InputError("is\x1b[31m broken", remedy="mend it", path="a\udcff\x07.png")
    assert str(error) == r"a\udcff\x07.png: is\x1b[31m broken; mend it"


def test_what_a_stranger_wrote_is_shortened():
    said = str(unknown_name("key", "A" * 200_000, ["title"], path="a.json"))
    assert said.startswith("a.json: unknown key 'AAA")
    assert said.endswith("AAA'; known: title")
    assert len(said) < 600


def test_what_is_written_names_the_file_without_its_folder():
    error = InputError("is broken", remedy="mend it", path="/home/me/set/a.png")
    assert error.in_results() == "a.png: is broken; mend it"
    assert InputError("is broken", remedy="mend it").in_results() == "is broken; mend it"

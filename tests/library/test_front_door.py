"""`import bustle` itself: what it offers, and what it does not import."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bustle

FUNCTIONS = sorted(set(bustle.__all__) - {"__version__"})
LIMIT_SECONDS = 0.1
ASK = """
import sys, time
started = time.perf_counter()
import bustle
seconds = time.perf_counter() - started
assert not {"numpy", "torch", "cv2", "argparse", "difflib"} & set(sys.modules), sorted(sys.modules)
print(seconds)
"""


def test_importing_takes_no_time():
    fastest = float("inf")
    for _ in range(6):  # other work may slow one
        answer = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        fastest = min(fastest, float(answer.stdout))
        if fastest < LIMIT_SECONDS:
            break
        time.sleep(0.2)
    assert fastest < LIMIT_SECONDS


def test_what_is_offered():
    assert FUNCTIONS == ["audit", "compare", "evaluate", "load_model", "open_data", "predict", "split", "train"]
    assert set(bustle.__all__) <= set(dir(bustle))
    with pytest.raises(AttributeError, match="has no attribute 'predcit'"):
        bustle.predcit  # noqa: B018


def test_the_version_is_that_of_the_installed_package():
    assert bustle.__version__ == importlib.metadata.version("bustle")


def test_looking_at_the_functions_imports_no_torch():
    """As the documentation does, which is also built where only the core is installed."""
    ask = f"import sys, bustle; [getattr(bustle, name) for name in {FUNCTIONS}]; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_signature_and_tells_of_all_its_arguments(name: str):
    function = getattr(bustle, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    text = inspect.getdoc(function) or ""
    arguments, _, _ = text.partition("Args:\n")[2].partition("\nReturns:")
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"    {parameter.name}: " in arguments
    assert "Raises:\n    InputError: " in text


def test_type_checkers_are_told_that_the_package_is_typed():
    assert (Path(bustle.__file__).parent / "py.typed").exists()

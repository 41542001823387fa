"""Weights come back as they were written, or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from bustle.core.errors import InputError
from bustle.models.weight_file import read_weights, write_weights


@pytest.fixture
def file(tmp_path: Path) -> Path:
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    write_weights(tmp_path / "best.safetensors", network.state_dict(), metadata={"epoch": "7"})
    return tmp_path / "best.safetensors"


def test_any_reader_of_the_format_finds_tensors_and_metadata(file: Path):
    with safe_open(file, framework="pt") as stored:
        assert stored.metadata()["epoch"] == "7"
    plain = load_file(file)
    assert plain.keys() == {"weight", "bias"}
    assert all(torch.equal(tensor, plain[name]) for name, tensor in read_weights(file).items())


def test_equal_weights_are_equal_files(file: Path, tmp_path: Path):
    write_weights(tmp_path / "again.safetensors", read_weights(file), metadata={"epoch": "7"})
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_a_flipped_bit_in_names_shapes_or_values_is_noticed(file: Path):
    whole = file.read_bytes()
    start, told = 8 + int.from_bytes(whole[:8], "little"), whole.index(b',"__metadata__"')
    for place in (*range(told), *range(start, len(whole), 29), len(whole) - 1):
        for bit in (0, 5):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            file.write_bytes(damaged)
            with pytest.raises(InputError, match=r"best\.safetensors: ") as caught:
                read_weights(file)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 5, 8, 60, -1])
def test_a_cut_file_is_refused(file: Path, length: int):
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(InputError, match=r"best\.safetensors: is not a readable safetensors file"):
        read_weights(file)


@pytest.mark.parametrize("header", [[], {"__metadata__": 3}, {"a": 3}, {"__metadata__": {"sha256": 4}}])
def test_a_header_of_another_form_is_refused(tmp_path: Path, header: object):
    text = json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(InputError):
        read_weights(tmp_path / "w.safetensors")


def test_a_file_of_another_program_has_no_digest(tmp_path: Path):
    save_file({"a": torch.arange(3.0)}, tmp_path / "theirs.safetensors")
    assert read_weights(tmp_path / "theirs.safetensors")["a"].tolist() == [0, 1, 2]


def test_an_absent_file(tmp_path: Path):
    with pytest.raises(InputError, match="no such weights file"):
        read_weights(tmp_path / "absent.safetensors")


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"is not a readable safetensors file .*named pipe"):
        read_weights(tmp_path / "a.safetensors")

from __future__ import annotations

import json

import pytest

from bustle.cli.main import main
from bustle.core.recipe import recipe_ids

FIELDS = ["id", "title", "task", "dims", "params", "trainable_params", "gmacs", "citation", "deviations"]


def test_list_prints_every_recipe(capsys: pytest.CaptureFixture[str]):
    assert main(["models", "list"]) == 0
    table, ready = capsys.readouterr().out.split("\n\n")
    lines = table.splitlines()
    assert [line.split()[0] for line in lines[1:]] == recipe_ids()
    settings, shipped = ready.splitlines()
    assert settings.endswith("acsnet-busi-630, acsnet-udiat, ctg-thh")
    assert shipped.startswith("ready to use, without a training: --model reference (The reference model")
    assert "2,607,451" in next(line for line in lines if line.startswith("rmtl_net_cpu"))


def test_list_as_json_holds_the_documented_fields(capsys: pytest.CaptureFixture[str]):
    assert main(["models", "list", "--json", "--variants"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["id"] for entry in listed] == recipe_ids(ablations=True)
    assert all(list(entry) == FIELDS for entry in listed)
    by_id = {entry["id"]: entry for entry in listed}
    assert by_id["rmtl_net/parity"]["params"] == 93_506_099
    assert by_id["rmtl_net/uresnet"]["task"] == "seg"
    assert by_id["rmtl_net"]["deviations"]


def test_show_describes_one_variant(capsys: pytest.CaptureFixture[str]):
    assert main(["models", "show", "rmtl_net/mtl-net+t+b", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == FIELDS
    assert (shown["id"], shown["task"], shown["dims"]) == ("rmtl_net/mtl-net+t+b", "joint", 2)

    assert main(["models", "show", "rmtl_net/mtl-net+t+b"]) == 0
    text = capsys.readouterr().out
    assert "regions: ['tumour', 'background']" in text
    assert f"{shown['params']:,}" in text
    assert "IEEE Access 2023" in text


def test_an_unknown_recipe_is_the_users_error(capsys: pytest.CaptureFixture[str]):
    assert main(["models", "show", "rmtl_nett"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "unknown recipe 'rmtl_nett'; did you mean rmtl_net" in error

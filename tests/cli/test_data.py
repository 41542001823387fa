from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bustle.cli.main import main


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Twelve cases in `folder` layout, one of them a copy of another."""
    root = tmp_path / "set"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = ["case_id,label"]
    mask = np.zeros((90, 120), np.uint8)
    mask[30:60, 40:80] = 255
    for number in range(12):
        noise = cv2.GaussianBlur(random.normal(120, 160, (90, 120)), (0, 0), 1.2)
        image = np.clip(noise, 0, 255).astype(np.uint8)
        if number == 11:
            image = cv2.imread(str(root / "images" / "case00.png"), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(root / "images" / f"case{number:02}.png"), image)
        cv2.imwrite(str(root / "masks" / f"case{number:02}.png"), mask)
        rows.append(f"case{number:02},{'benign' if number % 2 else 'malignant'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def test_audit_writes_its_files_and_a_summary(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data_set / "images" / "torn.png").write_bytes(b"")
    assert main(["data", "audit", f"folder:{data_set}", "--out", str(tmp_path / "audit")]) == 0
    found = json.loads((tmp_path / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert found["cases"] == 13
    assert found["duplicate_groups"] == found["conflicting_groups"] == [["folder/case00", "folder/case11"]]
    assert (tmp_path / "audit" / "audit.html").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert "conflicting-labels" in printed
    assert "unreadable" in printed
    assert str(tmp_path / "audit" / "audit.html") in printed


def test_strict_split_leaves_the_conflict_out(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "splits.json"
    assert main(["data", "split", f"folder:{data_set}", "--folds", "2", "--track", "strict", "--out", str(out)]) == 0
    made = json.loads(out.read_text(encoding="utf-8"))
    assert (made["track"], made["protocol"], len(made["folds"])) == ("strict", "strict", 2)
    assert [row["case_id"] for row in made["excluded"]] == ["folder/case00", "folder/case11"]
    tested = [name for fold in made["folds"] for name in fold["test"]]
    assert sorted(tested) == [f"folder/case{number:02}" for number in range(1, 11)]
    printed = capsys.readouterr()
    assert "copies of one frame carry different classes" in printed.out
    assert not all(fold["val"] for fold in made["folds"])
    for number, fold in enumerate(made["folds"]):
        assert (f"warning: fold {number} has no validation part" in printed.err) == (not fold["val"])


def test_published_split_takes_a_protocol_and_a_seed(data_set: Path, tmp_path: Path) -> None:
    command = ["data", "split", f"folder:{data_set}", "--track", "published", "--classes", "benign,malignant"]
    made = []
    for name, extra in (("a", []), ("b", ["--protocol", "acsnet"]), ("c", ["--seed", "7", "--holdout", "0.25"])):
        assert main([*command, *extra, "--out", str(tmp_path / name)]) == 0
        made.append(json.loads((tmp_path / name).read_text(encoding="utf-8")))
    assert [value["protocol"] for value in made] == ["rmtl", "acsnet", "rmtl"]
    assert (made[2]["seed"], len(made[2]["folds"]), len(made[2]["folds"][0]["test"])) == (7, 1, 3)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--protocol", "rmtl"], "strict track has its own protocol"),
        (["--track", "published", "--protocol", "rmlt"], "did you mean rmtl"),
        (["--track", "published", "--protocol", "strict"], "a track of its own"),
        (["--folds", "40"], "cannot fill 40 folds"),
        (["--classes", "benign,cyst"], "unknown class 'cyst'"),
    ],
)
def test_wrong_settings_are_one_line(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], told: str
) -> None:
    assert main(["data", "split", f"folder:{data_set}", *extra, "--out", str(tmp_path / "s.json")]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("bustle: error:")
    assert told in last
    assert not (tmp_path / "s.json").exists()


def test_a_path_that_is_missing_or_in_the_way_is_told(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["data", "audit", f"folder:{tmp_path / 'gone'}", "--out", str(tmp_path / "a")]) == 2
    assert "gone: does not exist" in capsys.readouterr().err
    assert main(["data", "split", f"folder:{data_set}", "--out", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr("bustle.data.readers._cases.read_image", lambda path: pytest.fail("it went to work first"))
    for words in (["audit", "--out", str(tmp_path / "file")], ["split", "--out", str(tmp_path / "file" / "s.json")]):
        assert main(["data", *words, f"folder:{data_set}"]) == 2
        assert "a file is in the way" in capsys.readouterr().err


def test_every_help_answers_without_torch() -> None:
    for words in (["data"], ["data", "audit"], ["data", "split"], ["data", "shrink"], ["data", "phantom"]):
        code = (
            "import sys\nfrom bustle.cli.main import main\n"
            f"try: main({[*words, '--help']!r})\nexcept SystemExit: pass\n"
            "assert not {'torch', 'cv2', 'numpy'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "usage: bustle data" in done.stdout

"""The page of predictions: well formed, with nothing from elsewhere, escaped, and light for thousands of images."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from bustle.report.answers_page import AnsweringModel, ShownAnswer, ShownLesion, ShownPicture, write_answers_page

VOID = {"meta", "img", "br", "link", "input", "hr"}
MODEL = AnsweringModel(title="A model", details={"network": "unet"})
NASTY = "<script>alert('x')</script>"


class Elements(HTMLParser):
    """Collects elements with their attributes, and checks that each one that opens also closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def answer(name: str, *, decision: str | None = "malignant", remarks: tuple[str, ...] = ()) -> ShownAnswer:
    return ShownAnswer(
        name=name,
        decision=decision,
        probabilities={"benign": 0.2, "malignant": 0.8},
        calibrated=True,
        possible=("malignant",),
        similar=["malignant (busi, 0.8)"],
        moved_by=("taller than wide +0.12",),
        lesions=[ShownLesion(size="12.30 x 9.10 mm", measured={"shape": "oval", "depth / width": "0.75"})],
        remarks=remarks,
        pictures=[ShownPicture(title="outline", url=f"{len(name)}/overlay.png")],
        record=f"{len(name)}/prediction.json",
    )


def written(path: Path, answers: list[ShownAnswer], *, failures: tuple[str, ...] = ()) -> tuple[str, Elements]:
    write_answers_page(path, answers, model=MODEL, failures=failures)
    text = path.read_text(encoding="utf-8")
    elements = Elements()
    elements.feed(text)
    assert elements.open == []
    return text, elements


def test_an_answer_is_shown_with_probabilities_measurements_and_what_a_reader_must_know(tmp_path: Path):
    text, elements = written(tmp_path / "a.html", [answer("scan", remarks=("Cut off.",))], failures=("b: no",))
    for words in (
        "0.80",
        "taller than wide +0.12",
        "Most similar training cases (data set, distance): malignant (busi, 0.8).",
        "Calibrated",
        "12.30 x 9.10 mm",
        "oval",
        "Cut off.",
        "Not predicted: b: no",
        "A model",
    ):
        assert words in text
    (picture,) = elements.all("img")
    assert (picture["src"], picture["loading"], picture["alt"]) == ("4/overlay.png", "lazy", "scan: outline")
    assert {link["href"] for link in elements.all("a")} == {"4/overlay.png", "4/prediction.json"}


def test_nothing_is_from_elsewhere_and_names_cannot_inject_markup(tmp_path: Path):
    answers = [answer(NASTY, decision=NASTY, remarks=(NASTY,))]
    text, elements = written(tmp_path / "a.html", answers, failures=(NASTY,))
    assert "://" not in text
    assert "<script>alert" not in text
    assert len(elements.all("script")) == 2


def test_decisions_can_be_chosen_by_the_keyboard(tmp_path: Path):
    decisions = ("malignant", "benign", "benign", None)
    answers = [answer(name, decision=decision) for name, decision in zip("abcd", decisions, strict=True)]
    _, elements = written(tmp_path / "a.html", answers)
    choices = [each["value"] for each in elements.all("input") if each["type"] == "radio"]
    assert choices == ["", "benign", "malignant", "no decision"]
    shown = [card["data-decision"] for card in elements.all("article")]
    assert shown == ["malignant", "benign", "benign", "no decision"]


def test_thousands_of_images_make_a_page_of_a_few_megabytes(tmp_path: Path):
    answers = [answer("scan")] * 5000
    write_answers_page(tmp_path / "a.html", answers, model=MODEL)
    assert (tmp_path / "a.html").stat().st_size < 8e6

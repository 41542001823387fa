"""`bustle reproduce`: what it knows of the tables, what it says of rows without data, and how it goes on."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pytest
from tests.experiments.made_run import write_run

from bustle.cli.main import main
from bustle.cli.reproduce import duration
from bustle.core.errors import InputError, TrainingInterruptedError
from bustle.core.recipe import Recipe, save_recipe
from bustle.core.run_layout import RunLayout
from bustle.core.types import Case, Collection
from bustle.experiments.engines.engine import LocalEngine, Shown
from bustle.experiments.reproduction.begun import Begun, begun_runs, write_begun
from bustle.experiments.reproduction.catalogue import sections
from bustle.experiments.reproduction.estimate import planned_runs
from bustle.experiments.reproduction.given_data import GivenData, RowData
from bustle.experiments.reproduction.items import find_items
from bustle.experiments.reproduction.parts import Done, Part, do_part
from bustle.experiments.reproduction.printed_metrics import own_metric
from bustle.experiments.reproduction.printed_rows import rows_of
from bustle.experiments.reproduction.record import reproduction_of
from bustle.experiments.reproduction.reproduce import _Work, reproduce
from bustle.experiments.reproduction.runs import Settings, all_runs, open_folds
from bustle.experiments.reproduction.smoke import fewer_cases, small_recipe, smoke_form
from bustle.io.raster import write_png
from bustle.report.reproduction_text import reproduction_text

if TYPE_CHECKING:
    from bustle.experiments.train import Folds


@pytest.fixture
def busi(tmp_path: Path) -> str:
    """A folder that stands where BUSI would; nothing of it is read."""
    (tmp_path / "busi").mkdir()
    return f"busi:{tmp_path / 'busi'}"


def test_every_table_and_figure_of_the_papers_is_known_by_name():
    for section in sections():
        names = [name for block in section.blocks for name in block.items]
        assert len(names) == len(set(names))
        for item in find_items(section.paper):
            assert find_items(f"{section.paper}/{item.name}") == [item]
            rows = rows_of(item)
            assert rows, item.title
            assert item.block.own in ("", *item.block.recipes)
            for number in (number for row in rows for number in row.numbers):
                assert (own_metric(number) is None) == (number.task == "cost")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rmtl_net/tabel-7"], "did you mean table-7"),
        (["rmtl/table-7"], "did you mean rmtl_net"),
        (["rmtl_net/table-1"], "has no figures to reproduce"),
        (["rmtl_net/fig-2"], "is made of pictures"),
        (["rmtl_net/table-7", "--time-budget", "9"], "'9' is no time"),
        (["rmtl_net/table-7", "--seeds", "0", "-1"], "-1 is no seed"),
        (["rmtl_net/table-7", "--data", "phantom:?cases=8"], "no paper's results are on data read by phantom"),
        (["rmtl_net/table-7", "--data", "busi:{}", "busi:{}"], "busi is given twice"),
    ],
)
def test_wrong_words_are_told_in_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given = [word.format(tmp_path) for word in words]
    assert main(["reproduce", *given, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_row_without_its_data_says_why(busi: str):
    def told(item_name: str, given: GivenData) -> dict[tuple[str, str], RowData | str]:
        (item,) = find_items(item_name)
        return {(row.method, row.dataset): given.of_row(row, item) for row in rows_of(item)}

    nothing, some = GivenData.of([], stand_in=[]), GivenData.of([busi], stand_in=["phantom:?volumes=2"])
    assert "busi:PATH" in str(told("rmtl_net/table-7", nothing)["RMTL-Net", "BUSI"])
    assert "is private; --stand-in" in str(told("cms_vnet_iter/table-3", nothing)["VNet", "ABUS (private)"])
    assert "quoted" in str(told("ctg_net/table-3", some)["BVANet(2020)", "BUSI"])
    assert "which one the paper does not say" in str(told("rmtl_net/fig-8", some)["PSPNet", "one image of BUSI"])
    small = told("cms_vnet_iter/fig-5", some)["C_MSVNet_Iter", "ABUS (private), tumours <= 1 cm3"]
    assert small == "of tumours up to 1 cm³; see the run's report"
    volumes = told("cms_vnet_iter/table-3", some)["VNet", "ABUS (private)"]
    assert isinstance(volumes, RowData)
    assert (volumes.stands_in, volumes.names) == (True, ("phantom",))
    images = told("rmtl_net/table-7", some)["RMTL-Net", "BUSI"]
    assert isinstance(images, RowData)
    assert images.specs == (busi,)
    copy = f"folder:{busi.removeprefix('busi:')}?name=busi"
    copied = told("rmtl_net/table-7", GivenData.of([copy], stand_in=[]))["RMTL-Net", "BUSI"]
    assert isinstance(copied, RowData)
    assert (copied.specs, copied.source) == ((copy,), "busi")


def test_a_pooled_training_without_one_of_its_data_sets_is_told(busi: str):
    (item,) = find_items("rmtl_net/table-7")
    given = GivenData.of([busi], stand_in=[])
    assert given.missing_beside(rows_of(item)[0], item) == "trained without udiat, which the paper adds"
    (apart,) = find_items("ctg_net/table-3")
    assert not given.missing_beside(rows_of(apart)[-1], apart)


@pytest.mark.parametrize("name", ["rmtl_net", "la_net/no-cam", "acsnet@acsnet-busi-630", "cms_vnet_iter"])
def test_the_small_form_keeps_what_a_row_is_about(name: str):
    small = small_recipe(name)
    form = smoke_form().training(small)
    assert (tuple(small.data.size), small.training.epochs) == (form.size, form.epochs)
    assert small.model.encoder_weights is None
    assert all(stage.set["training.epochs"] == form.epochs for stage in small.stages)
    losses = {loss.name: loss.options for loss in small.losses}
    if name == "rmtl_net":
        assert small.model.config["regions"] == ["tumour", "peritumoral", "background"]
        assert losses["region_cross_entropy"]["ring_width"] == 8  # 32 px of 256
    if name == "la_net/no-cam":
        assert small.model.config["cam"] is False
    if name.startswith("acsnet"):
        assert (losses["lossnet"]["weights"], small.data.multi_mask) == ("random", "drop")
    if name == "cms_vnet_iter":
        assert (small.model.refinements, small.model.config["stages"]) == (2, [4, 6])


def _case(number: int, label: str) -> Case:
    return Case(case_id=f"made/{number}", source="made", load=lambda: pytest.fail("not to be read"), label=label)


def test_fewer_cases_keep_the_shares_of_the_classes_and_their_order():
    cases = tuple(_case(number, "benign" if number % 4 else "malignant") for number in range(40))
    chosen = fewer_cases(Collection(cases), limit=12).cases
    assert [sum(case.label == label for case in chosen) for label in ("benign", "malignant")] == [9, 3]
    assert list(chosen) == sorted(chosen, key=cases.index)
    assert fewer_cases(Collection(cases), limit=100).cases == cases


def test_finished_runs_stand_beside_the_print_and_other_test_cases_are_told(tmp_path: Path, busi: str):
    (item,) = find_items("rmtl_net/table-7")
    given, settings = GivenData.of([busi], stand_in=[]), Settings()
    made = {"rmtl_net": (range(6), range(6, 12)), "fcn8s": (range(4), range(4, 8))}
    for run in all_runs([item], given, settings=settings):
        if run.recipe in made:
            write_run(run.layout(tmp_path).path, folds=made[run.recipe])
    found = reproduction_of(item, given, out=tmp_path, settings=settings, obstacles={}, open_parts=3)
    row = next(row for row in found.rows if row.recipes == ("rmtl_net",))
    dice = next(figure for figure in row.figures if figure.metric == "DSC")
    assert dice.as_published is not None
    assert dice.as_published == dice.strict
    assert any("tests other cases than fcn8s: 12 here, 8 there, 8 in common" in note for note in row.notes)
    assert "as published: 2 of 5 trainings finished" in row.notes
    other = next(row for row in found.rows if row.recipes == ("pspnet",))
    assert all(figure.as_published is None for figure in other.figures)
    text = reproduction_text(found)
    assert "3 trainings of single folds are still to be done" in text
    assert "1 of 5: of so many" in text
    assert "2 of 5 |" in text
    assert "| DSC | percent | " in text
    assert "As published benign is positive" in text
    assert "BUSI has several images of one patient" in text


def test_the_test_is_over_repeats_alone_so_that_strict_folds_have_none(tmp_path: Path, busi: str):
    (item,) = find_items("la_net/table-8")
    given, settings = GivenData.of([busi], stand_in=[]), Settings()
    runs = [run for run in all_runs([item], given, settings=settings) if run.recipe in ("la_net/no-cam", "la_net")]
    for number, run in enumerate(runs):
        folds = 3 if run.track == "published" else 2
        write_run(run.layout(tmp_path).path, folds=[[k, k + 5, k + 6] for k in range(folds)], better=number / 100)
    found = reproduction_of(item, given, out=tmp_path, settings=settings, obstacles={}, open_parts=0)
    dice = {
        row.recipes: figure
        for row in found.rows
        for figure in row.figures
        if (row.dataset, figure.metric) == ("BUSI", "Dice")
    }
    ablated, whole = dice[("la_net/no-cam",)], dice[("la_net",)]
    assert ablated.as_published is not None
    assert ablated.strict is not None
    assert whole.as_published is not None
    assert (len(ablated.as_published.repeats), len(ablated.strict.repeats)) == (3, 1)
    assert ablated.as_published.p_reference_better is not None
    assert ablated.as_published.p_reference_better < 0.5
    assert (ablated.strict.p_reference_better, whole.as_published.p_reference_better) == (None, None)


def test_the_plan_counts_what_is_left_and_measures_each_network_once(tmp_path: Path, busi: str):
    (item,) = find_items("rmtl_net/fig-6")
    given, settings = GivenData.of([busi], stand_in=[]), Settings()
    runs = all_runs([item], given, settings=settings)
    write_run(runs[0].layout(tmp_path).path)
    measured: list[Recipe] = []
    cases = Collection(tuple(_case(number, "benign") for number in range(100)))
    plan = planned_runs(
        runs,
        out=tmp_path,
        settings=settings,
        collections={(busi,): cases},
        measure=lambda recipe: measured.append(recipe) or 2.0,
    )
    assert len(measured) == 1  # five values of λ have one network
    assert (plan[0].done, plan[1].done) == (2, 0)
    published = 5 * 100 * 5 * 2.0 * 1.5  # folds, epochs, batches of 16 of 80 cases, seconds, what comes on top
    assert plan[0].seconds == pytest.approx(published * 3 / 5)
    assert [duration(seconds) for seconds in (45, 720, 27000)] == ["45 s", "12 min", "7.5 h"]


def test_a_fold_that_was_scored_but_not_summed_up_is_open(tmp_path: Path, busi: str):
    (item,) = find_items("rmtl_net/fig-6")
    given, settings = GivenData.of([busi], stand_in=[]), Settings()
    run = all_runs([item], given, settings=settings)[0]
    write_run(run.layout(tmp_path).path)
    assert open_folds(run, out=tmp_path, settings=settings) == [2, 3, 4]
    run.layout(tmp_path).summary.unlink()  # as after a kill
    assert open_folds(run, out=tmp_path, settings=settings) == [0, 1, 2, 3, 4]


@pytest.fixture
def images(tmp_path: Path) -> str:
    """Twenty small images of noise with a lesion each, benign and malignant in turn."""
    random = np.random.default_rng(0)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 255
    for number in range(20):
        write_png(tmp_path / f"own/images/c{number}.png", random.integers(0, 255, (32, 32)).astype(np.uint8))
        write_png(tmp_path / f"own/masks/c{number}.png", mask)
    lines = [f"c{number},{'malignant' if number % 2 else 'benign'}" for number in range(20)]
    (tmp_path / "own/labels.csv").write_text("\n".join(["case_id,label", *lines, ""]))
    return f"folder:{tmp_path / 'own'}"


@dataclass
class MadeFolds:
    """What `opened_run` gives, without trainings: a fold that is asked for becomes that of a made-up run."""

    recipe: Recipe
    out: Path
    splits: object = None

    failing: ClassVar[str] = ""
    opened: ClassVar[set[Path]] = set()
    trained: ClassVar[list[tuple[Path, int]]] = []

    def __call__(self, number: int) -> None:
        assert self.out in MadeFolds.opened
        if MadeFolds.failing and MadeFolds.failing in self.out.as_posix():
            raise InputError("the loss is not finite", remedy="lower it", path=self.out)
        MadeFolds.trained.append((self.out, number))
        metrics = RunLayout(self.out).fold(number).main.metrics
        metrics.parent.mkdir(parents=True)
        metrics.touch()  # it is scored

    def sum_up(self) -> None:
        write_run(self.out, folds=[range(12)])
        save_recipe(self.recipe, RunLayout(self.out).recipe)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    """The folders and folds that would have been trained."""

    @contextmanager
    def opened_run(recipe: Recipe, *, out: Path, load_data: Callable[[], Any], **_: Any) -> Iterator[MadeFolds]:
        MadeFolds.opened.add(out)
        yield MadeFolds(recipe, out)
        MadeFolds.opened.remove(out)

    monkeypatch.setattr("bustle.experiments.train.opened_run", opened_run)
    monkeypatch.setattr(MadeFolds, "failing", "")
    MadeFolds.opened.clear()
    MadeFolds.trained.clear()
    return MadeFolds.trained


@pytest.mark.usefixtures("without_plots")
def test_a_reproduction_stops_when_its_time_is_up_and_goes_on(
    tmp_path: Path, trainings: list[tuple[Path, int]], images: str
):
    (item,) = find_items("la_net/table-8")
    given = GivenData.of([], stand_in=[images])
    settings, out = Settings(smoke=True), tmp_path / "out"
    outcome = reproduce([item], given, out=out, settings=settings, seconds=0)
    assert outcome.stopped
    assert len(trainings) == 1, "each call goes on by one training at least"
    assert (out / "la_net-table-8.md").exists()
    with pytest.raises(InputError, match="--resume"):
        reproduce([item], given, out=out, settings=settings)
    outcome = reproduce([item], given, out=out, settings=settings, resume=True)
    assert not outcome.stopped
    assert outcome.items[0].open_parts == 0
    assert [path.relative_to(out).parts[-2] for path, _ in trainings] == ["published", "strict"] * 4
    count = len(trainings)
    reproduce([item], given, out=out, settings=settings, resume=True)
    assert len(trainings) == count
    record = json.loads((out / "la_net-table-8.json").read_text())
    assert record["smoke"].startswith("64 x 64")
    assert {row["reason"] for row in record["rows"] if row["dataset"] == "MBUD"} == {""}
    assert (record["seeds"], record["protocol"], len(record["flaws"])) == ([0], "lanet", 2)
    with pytest.raises(InputError, match="another form of the recipe"):
        reproduce([item], given, out=out, settings=Settings(), resume=True)
    write_png(tmp_path / "own/images/c3.png", np.zeros((32, 32), np.uint8))
    with pytest.raises(InputError, match="is a run on other data"):
        reproduce([item], given, out=out, settings=settings, resume=True)


def test_runs_are_known_by_their_data_and_no_path_of_this_machine_is_told(tmp_path: Path):
    (item,) = find_items("rmtl_net/fig-6")
    given = GivenData.of([], stand_in=[])
    given = replace(given, by_reader={"busi": "busi:/x"}, names={"busi:/x": "busi"})
    settings = Settings(overrides=("model.encoder_weights=/somewhere/weights.safetensors",))
    runs = all_runs([item], given, settings=settings)
    specs = runs[0].specs

    def begun(label: str) -> Begun:
        collections = {specs: Collection((_case(0, "benign"), _case(1, label)))}
        return begun_runs(runs, out=tmp_path, settings=settings, collections=collections)

    write_begun(tmp_path, begun("benign"))
    write_begun(tmp_path, begun("malignant"))  # nothing is trained yet
    save_recipe(settings.seeded_recipe(runs[0]), runs[0].layout(tmp_path).recipe)
    with pytest.raises(InputError, match="is a run on other data"):
        begun("benign")
    assert "/somewhere" not in (tmp_path / "reproduction.json").read_text()


class OtherProcesses:
    """Takes all tasks before it begins one, does copies of them in another order, and returns copies, as Ray may."""

    def run(self, work: Any, tasks: Iterable[Any], *, shown: Shown, each: Any) -> None:
        taken = [pickle.dumps(task) for task in tasks]
        assert len(taken) == shown.total
        for task in reversed(taken):
            each(pickle.loads(pickle.dumps(work(pickle.loads(task)))))


def test_a_training_that_fails_is_in_the_way_of_its_own_run_alone(
    tmp_path: Path, trainings: list[tuple[Path, int]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(MadeFolds, "failing", "no-sam-on-phantom/published/seed-1")
    summed_up: list[Path] = []
    monkeypatch.setattr(MadeFolds, "sum_up", lambda folds: summed_up.append(folds.out))
    monkeypatch.setattr(_Work, "write", lambda _: None)
    (item,) = find_items("la_net/table-8")
    given = GivenData.of([], stand_in=["phantom:?cases=3&size=64"])
    settings = Settings(smoke=True, seeds=(0, 1))
    runs, obstacles = all_runs([item], given, settings=settings), []
    assert len(runs) == 4 * 2 * 2  # recipes, tracks and seeds
    for engine in (LocalEngine(), OtherProcesses()):
        with ExitStack() as stack:
            out = tmp_path / type(engine).__name__
            work = _Work([item], given, out=out, settings=settings, ends=None, stack=stack)
            engine.run(do_part, work.parts(), shown=Shown("made", "part", len(runs)), each=work.take)
            assert len(MadeFolds.opened) == 0, "the folders of finished runs are free"
        obstacles.append(work._obstacles)
        in_order = [run.layout(out).path for run in runs if run not in work._obstacles]
        assert [path for path, _ in trainings] == in_order[:: -1 if out.name == "OtherProcesses" else 1]
        assert summed_up == [path for path, _ in trainings]
        trainings.clear()
        summed_up.clear()
    assert obstacles[0] == obstacles[1]
    ((run, problem),) = obstacles[0].items()
    assert (run.recipe, run.track, run.seed) == ("la_net/no-sam", "published", 1)
    assert problem == "fold 0: seed-1: the loss is not finite; lower it"


def test_what_a_part_fails_at_is_told_and_an_interruption_ends_all(busi: str):
    (item,) = find_items("la_net/table-8")
    run = all_runs([item], GivenData.of([busi], stand_in=[]), settings=Settings())[0]

    def done(error: BaseException, *, ends: float | None = None) -> Done:
        def fail(_: int) -> None:
            raise error

        return do_part(Part(run=run, fold=1, folds=cast("Folds", fail), title="part 1 of 1", ends=ends))

    assert done(InputError("the loss is not finite", remedy="lower it")).problem is not None
    with pytest.raises(TrainingInterruptedError):
        done(TrainingInterruptedError("training was interrupted", remedy="go on"))
    assert done(AssertionError("begun"), ends=time.time()) == Done(run, 1)


@pytest.mark.usefixtures("trainings")
def test_all_folds_of_all_runs_are_parts_at_once(tmp_path: Path):
    (item,) = find_items("la_net/table-8")
    given, settings = GivenData.of([], stand_in=["phantom:?cases=3&size=64"]), Settings()
    with ExitStack() as stack:
        work = _Work([item], given, out=tmp_path / "out", settings=settings, ends=None, stack=stack)
        parts = list(work.parts())
        assert len(MadeFolds.opened) == 8
    assert not MadeFolds.opened
    runs = all_runs([item], given, settings=settings)
    assert [(part.run, part.fold) for part in parts] == [
        (run, fold) for run in runs for fold in range(run.protocol.folds)
    ]


@pytest.mark.usefixtures("without_plots")
def test_data_that_a_row_cannot_be_trained_on_is_its_reason(tmp_path: Path):
    (item,) = find_items("la_net/table-8")
    given = GivenData.of([], stand_in=["phantom:?cases=3&size=64"])
    outcome = reproduce([item], given, out=tmp_path / "out", settings=Settings(smoke=True))
    reasons = {row.dataset: row.reason for row in outcome.items[0].rows}
    assert "busi:PATH" in reasons["BUSI"]
    assert reasons["MBUD"]
    assert outcome.items[0].open_parts == 0


@pytest.mark.full
def test_a_smoke_of_a_table_runs_to_a_finished_page(tmp_path: Path):
    words = ["reproduce", "ctg_net/table-5", "--smoke", "--stand-in", "phantom:?cases=24&size=64"]
    assert main([*words, "--out", str(tmp_path / "out"), "--set", "training.epochs=1", "--device", "cpu"]) == 0
    record = json.loads((tmp_path / "out/ctg_net-table-5.json").read_text())
    assert record["open_parts"] == 0
    dice = [figure for row in record["rows"] for figure in row["figures"] if figure["metric"] == "DSC"]
    assert all(figure["as_published"] and figure["strict"] for figure in dice)
    assert record["smoke"].startswith("64 x 64, 1 epoch,")
    assert "smoke" in (tmp_path / "out/ctg_net-table-5.html").read_text()

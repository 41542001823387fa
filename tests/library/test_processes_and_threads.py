"""One model in many threads, in processes that are started anew, and in forked ones."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bustle
from bustle.core.errors import InputError
from bustle.inference import package_backend
from bustle.inference.predictor import Predictor

IMAGES = [np.random.default_rng(seed).integers(0, 255, (1, 80, 90), np.uint8) for seed in range(4)]


def answer(model: Predictor, image: np.ndarray) -> tuple[bytes, dict[str, float] | None]:
    prediction = model.predict(image, case_id="x")
    assert prediction.segmentation is not None
    probabilities = prediction.class_probabilities
    return prediction.segmentation.probability.tobytes(), None if probabilities is None else dict(probabilities)


@pytest.mark.parametrize("openvino", [True, False], ids=["OpenVINO", "ONNX Runtime"])
def test_threads_share_a_model_and_get_equal_answers(openvino: bool, package: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(package_backend, "is_installed", lambda: openvino)
    model = bustle.load_model(package, device="cpu")
    expected = [answer(model, image) for image in IMAGES]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda image: answer(model, image), IMAGES * 20))
    assert found == expected * 20


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no such signals")
def test_a_signal_is_heard_after_two_models_were_closed(package: Path):
    script = (
        "import gc, signal, sys, bustle\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('heard'))\n"
        "first = bustle.load_model(sys.argv[1], device='cpu')\n"
        "second = bustle.load_model(sys.argv[1], device='cpu')\n"
        "del first; gc.collect()\n"
        "del second; gc.collect()\n"
        "signal.raise_signal(signal.SIGTERM)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(package)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "heard\n"), ended.stderr


def test_a_model_reaches_a_started_process_by_its_path(package: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(package.parent)
    model = bustle.load_model(package.name, device="cpu")
    assert len(pickle.dumps(model)) < 2000
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        probability, classes = pool.submit(answer, model, IMAGES[0]).result(60)
    assert (probability, classes) == answer(model, IMAGES[0])


def test_another_model_at_the_path_is_refused(package: Path, tmp_path: Path):
    from tests.inference.hand_made_package import graph, write_package

    copy = Path(shutil.copytree(package, tmp_path / "copy.bustle"))
    sent = pickle.dumps(bustle.load_model(copy))
    shutil.rmtree(copy)
    write_package(copy, content=graph(gain=2.0))
    with pytest.raises(InputError, match="holds another model than it did; open it again"):
        pickle.loads(sent)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_a_forked_process_is_told_to_be_spawned(package: Path):
    model = bustle.load_model(package, device="cpu")
    answer(model, IMAGES[0])
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        try:
            sender.send(answer(model, IMAGES[0]))
        except InputError as error:
            sender.send(str(error))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    assert receiver.poll(30)
    assert "start processes with multiprocessing.get_context('spawn')" in receiver.recv()
    process.join(30)
    assert process.exitcode == 0


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 80, 90), 0.5, np.float32),
        np.full((1, 80, 90), 7, np.uint16),
        np.full((80, 90), 7, np.uint8),
        np.full((80, 90, 3), 7, np.uint8),
        np.full((2, 80, 90), 7, np.uint8),
        np.full((1, 0, 90), 7, np.uint8),
        np.full((1, 80, 90), True),
        [[[1, 2], [3, 4]]],
    ],
    ids=["float", "uint16", "H W", "H W C", "2 channels", "empty", "bool", "list"],
)
def test_a_model_itself_takes_bytes_of_one_or_three_channels_only(image: object, package: Path):
    with pytest.raises(ValueError, match=r"(bustle.predict takes other arrays|give C H W with 1 or 3 channels)"):
        bustle.load_model(package).predict(image, case_id="x")  # type: ignore[arg-type]

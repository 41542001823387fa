"""The frames of a clip through a model, and onto the disk as they are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from bustle.core.errors import InputError
from bustle.core.progress import progress
from bustle.inference.pipeline import Item
from bustle.inference.predictor import Predictor
from bustle.reading.clip import Clip
from bustle.reading.frame_log import FrameLog
from bustle.reading.frame_record import FrameRecord

BATCH_SIZE = 8
"""So many frames are in memory at a time."""


def predict_clip(
    clip: Clip,
    log: FrameLog,
    *,
    predictor: Predictor,
    done: int = 0,
    on_failure: Callable[[InputError], None] | None = None,
) -> None:
    """Predict all frames but the first `done` and append each to `log`, in their order.

    A frame that cannot be read is a record that says why, of which `on_failure` hears at once. Raises `InputError`
    where the disk is full.
    """
    waiting: deque[FrameRecord | int] = deque()
    """What is not on the disk yet, in the order of the frames: a record, or the number of a frame at the model."""

    def items() -> Iterator[Item]:
        shown = progress(
            clip.numbers[done:], description=clip.name[-24:], total=len(clip.numbers) - done, unit="frame"
        )
        for number in shown:
            try:
                image, geometry = clip.frame(number)
                predictor.check(geometry)
            except InputError as error:
                problem = f"{error.problem}; {error.remedy}"
                waiting.append(FrameRecord(frame=number, problem=problem))
                if on_failure is not None:
                    on_failure(InputError(error.problem, remedy=error.remedy, path=clip.at_fault))
                continue
            waiting.append(number)
            yield Item(f"{clip.name}#{number}", image, geometry)

    def known() -> list[FrameRecord]:
        """The records before the next frame that is at the model."""
        found: list[FrameRecord] = []
        while waiting and isinstance(waiting[0], FrameRecord):
            found.append(waiting[0])
            waiting.popleft()
        return found

    ready: list[FrameRecord] = []
    for prediction in predictor.predict_many(items(), batch_size=BATCH_SIZE):
        ready += known()
        number = waiting.popleft()
        assert isinstance(number, int)
        ready.append(FrameRecord.of(prediction, frame=number))
        if len(ready) >= BATCH_SIZE or not waiting:
            log.append(ready)
            ready.clear()
    log.append([*ready, *known()])

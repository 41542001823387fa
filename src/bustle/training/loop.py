"""The epoch loop: learn, validate, choose, write, until the epochs are over or early stopping ends them."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from bustle.core.errors import TrainingInterruptedError
from bustle.core.learning_curve import Row, write_learning_curve
from bustle.core.run_layout import TrainingFolder
from bustle.training.checkpoint import Checkpoint, other_training
from bustle.training.determinism import random_state, repeatable, restore_random_state
from bustle.training.epoch_log import TensorBoard
from bustle.training.epoch_writer import EpochWriter
from bustle.training.learner import Learner
from bustle.training.progress_bar import TrainingProgress
from bustle.training.selection import Selection
from bustle.training.validation import ValidationScores


@dataclass
class EpochLoop:
    """Trains `learner` and writes `files`.

    Every epoch writes `metrics.csv` and `tensorboard/`, then, while the next one learns, `best.safetensors` (when the
    best epoch is another) and `checkpoints/last.ckpt`, where they are large not after every epoch (`EpochWriter`).
    Whatever moment the process dies at, repeating the epochs after the checkpoint's writes the same files again.
    """

    learner: Learner
    files: TrainingFolder
    selection: Selection
    epochs: int
    give_up: Callable[[Sequence[Row]], bool] | None = None
    history: list[Row] = field(default_factory=list)
    _saved_epochs: int = 0
    _best: Mapping[str, Tensor] | None = None
    """The best weights so far, until they are written."""

    def resume(self, checkpoint: Checkpoint) -> None:
        """Bring everything to where the checkpoint left it. Raises `InputError` for that of another training."""
        try:
            self.learner.load_state(checkpoint)
            restore_random_state(checkpoint.random_state)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            # Of what is no state of theirs, PyTorch and NumPy say so in any of these ways.
            raise other_training(self.files.checkpoint, f"{type(error).__name__}: {str(error)[:160]}") from None
        self.selection.state = checkpoint.selection
        self.history = list(checkpoint.history)
        self._saved_epochs = checkpoint.epoch

    def run(self, title: str) -> None:
        """Train the epochs that are left. Raises `TrainingInterruptedError` on Ctrl-C.

        It loses the running epoch, and those since the last that was written.
        """
        progress = TrainingProgress(title, epochs=self.epochs)
        with (
            self._board() as board,
            EpochWriter(self.files) as writer,
            repeatable(self.learner.device),
        ):
            for epoch in range(len(self.history), self.epochs):
                try:
                    finished = self._epoch(epoch, board=board, writer=writer, progress=progress)
                except KeyboardInterrupt:
                    raise TrainingInterruptedError(
                        f"training was interrupted in epoch {epoch + 1}; epochs saved: {self._saved_epochs}",
                        remedy="go on with the same command and --resume",
                    ) from None
                if finished:
                    break

    @contextlib.contextmanager
    def _board(self) -> Iterator[TensorBoard | None]:
        """None of processes other than the first."""
        if not self.learner.share.is_first:
            yield None
            return
        board = TensorBoard(self.files.tensorboard, first_epoch=len(self.history) + 1)
        with contextlib.closing(board):
            yield board

    def _epoch(
        self, epoch: int, *, board: TensorBoard | None, writer: EpochWriter, progress: TrainingProgress
    ) -> bool:
        """Train and write one epoch (from 0); True if it is the last one."""
        started = time.monotonic()
        with progress.bar(epoch, batches=self.learner.steps_per_epoch) as on_batch:
            losses = self.learner.train_epoch(epoch, on_batch=on_batch)
            scores = self.learner.share.from_first(lambda: self.learner.validate(epoch))
            row = _row(epoch, lr=self.learner.lr, losses=losses, scores=scores, started=started)
            self.history.append(row)
            kept = self.selection.offer(scores)
            if board is not None:
                write_learning_curve(self.files.history, self.history)
                board.add(row)
            given_up = self.give_up is not None and self.give_up(self.history)
            finished = len(self.history) == self.epochs or self.selection.exhausted or given_up
            if board is not None:
                self._write(writer, kept=kept, finished=finished)
        progress.print_line(row, kept=kept)
        return finished

    def _write(self, writer: EpochWriter, *, kept: bool, finished: bool) -> None:
        """What is due of this epoch; of the best one a copy stays until then."""
        weights = self.learner.judged_network.state_dict() if kept else self._best
        if finished or writer.due:
            writer.write(self._checkpoint(finished=finished), weights=weights)
            self._saved_epochs, self._best = len(self.history), None
        elif kept and weights is not None:
            self._best = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def _checkpoint(self, *, finished: bool) -> Checkpoint:
        return Checkpoint(
            **vars(self.learner.state()),
            finished=finished,
            epoch=len(self.history),
            selection=self.selection.state,
            random_state=random_state(),
            history=tuple(self.history),
        )


def _row(epoch: int, *, lr: float, losses: dict[str, float], scores: ValidationScores | None, started: float) -> Row:
    row: dict[str, float | None] = {"epoch": epoch + 1, "lr": lr}
    row |= {f"train_{name}": value for name, value in losses.items()}
    if scores is not None:
        row |= {f"val_{name}": value for name, value in dataclasses.asdict(scores).items()}
    row["seconds"] = round(time.monotonic() - started, 3)
    return row

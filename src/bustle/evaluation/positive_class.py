"""Which class the figures call positive."""

from __future__ import annotations

from collections.abc import Sequence

from bustle.core.recipe import Protocol


def positive_class(classes: Sequence[str], *, protocol: Protocol | None = None) -> str:
    """The protocol's positive class; for a task without it (lesion or not) the last of the classes.

    Without a protocol it is malignant: a training chooses its epoch alike, whichever protocols score it afterwards.
    """
    wanted = "malignant" if protocol is None else protocol.positive_class
    return wanted if wanted in classes else classes[-1]

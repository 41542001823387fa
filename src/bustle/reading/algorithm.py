"""The model as result objects name it."""

from __future__ import annotations

import hashlib

from bustle.core.model_provenance import ModelProvenance
from bustle.io.dicom.result_content import Algorithm


def algorithm_of(made: ModelProvenance, *, parameters: tuple[str, ...] = ()) -> Algorithm:
    """`parameters` are the choices of a run that change its answers, in words."""
    files = repr((made.model, made.weights, made.package, made.decision_rule)).encode()
    return Algorithm(
        name=made.title,
        version=made.bustle or "unreleased",
        answers_sha256=hashlib.sha256(files).hexdigest(),
        parameters=parameters,
    )

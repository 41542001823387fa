"""What a made-up prediction says about its model."""

from __future__ import annotations

from bustle.core.model_provenance import ModelProvenance, NetworkWeights

MADE_MODEL = ModelProvenance(
    model="rmtl_net",
    recipe="rmtl_net_cpu",
    weights=(NetworkWeights(fold="fold-0", sha256="ab"),),
    title="Made-up model",
    runtime="by hand",
    bustle="0",
)

"""Read the attention supervision of a checkpoint from its training settings."""

from __future__ import annotations

from collections.abc import Mapping

from mesm.config import TrainConfig
from mesm.json_form import Json
from mesm.records.supervision import Supervision


def supervision_of(train: Mapping[str, Json]) -> Supervision:
    """Return the attention supervision that training settings name, also those of the oldest checkpoints."""
    attention = TrainConfig.from_dict(dict(train)).attention
    if not attention.weight:
        return Supervision()
    if attention.target != "regions":
        return Supervision(target=attention.target)
    return Supervision(regions=True, text_regions=attention.target_shares[1] > 0)

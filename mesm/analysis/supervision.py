"""Read the attention supervision of a checkpoint from its training settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mesm.analysis.checkpoints import CheckpointFacts
from mesm.config import TrainConfig
from mesm.json_form import Json
from mesm.records.base import Record
from mesm.records.supervision import Supervision


def supervision_of(train: Mapping[str, Json]) -> Supervision:
    """Return the attention supervision that training settings name, also those of the oldest checkpoints."""
    attention = TrainConfig.from_dict(dict(train)).attention
    if not attention.weight:
        return Supervision()
    if attention.target != "regions":
        return Supervision(target=attention.target)
    return Supervision(regions=True, text_regions=attention.target_shares[1] > 0)


def with_supervision(record: Record[Any], facts: CheckpointFacts) -> Record[Any]:
    """Return a record of an attention with the supervision of its checkpoint, which older records do not hold.

    Args:
        facts: of the checkpoint; those of other weights change nothing.
    """
    same = facts.sha256 in record.provenance.checkpoint_sha256
    if not same or getattr(record.data, "supervision", True) is not None:
        return record
    return replace(record, data=replace(record.data, supervision=supervision_of(facts.metrics.train)))

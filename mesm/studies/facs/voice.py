"""The same care for the voice: do kept sites and attention lie on the loud cells of the mel, against chance?

The paper's Figure 4 draws only the highest tenth of a clip's mel values. Speech itself is loud, so `lift_spoken` asks
within the columns in which a word is said: does the map find the bands, or only the moments?
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mesm.studies.facs import agreement
from mesm.studies.facs.attention_maps import Study, on_grids
from mesm.studies.facs.estimates import KINDS
from mesm.studies.facs.statistics import Speakers


def voice_tables(study: Study, draws: int = 1000) -> dict[str, Any] | None:
    """Map -> kind -> [L of estimates], and the number of chunks; None without a voice.

    Measures: `lift` (loud cells, chance over the chunk), `lift_sites` (chance over the layer's active sites),
    `lift_spoken` (chance over the spoken columns), `speech` (lift on the spoken columns), `auc` of the loud cells
    (attention only), `kept_sites` per chunk (kept sites only).
    """
    if not study.voices["checkpoint"]:
        return None
    speakers = Speakers(study.voice_speaker, draws)
    layers = study.voices["checkpoint"]
    loud, spoken = on_grids(study.loud, layers), on_grids(study.spoken, layers)
    tables: dict[str, Any] = {name: {kind: [] for kind in KINDS} for name in study.voices}
    for name, of_map in study.voices.items():
        for kind in KINDS:
            for i, layer in enumerate(of_map):
                map_ = layer.of(kind)
                values = {
                    "lift": agreement.lift(map_, loud[i]),
                    "lift_sites": agreement.lift_within(map_, loud[i], layer.active.astype(np.float32)),
                    "lift_spoken": agreement.lift_within(map_, loud[i], spoken[i]),
                    "speech": agreement.lift(map_, spoken[i]),
                }
                if kind == "attention":
                    values["auc"] = agreement.auc(map_, loud[i])
                else:
                    values["kept_sites"] = layer.kept.sum(1).astype(float)
                tables[name][kind].append({measure: speakers.mean(v) for measure, v in values.items()})
    return {"chunks": len(study.loud), "maps": tables}

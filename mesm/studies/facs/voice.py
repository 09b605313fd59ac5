"""Measure whether kept sites and attention of the voice lie on the loud cells of the mel, against chance.

The paper's Figure 4 draws only the highest tenth of a clip's mel values. Speech itself is loud, so `lift_spoken` compares
within the columns in which a word is spoken: it separates finding the bands from finding the moments.
"""

from __future__ import annotations

import numpy as np

from mesm.records.facs import KINDS, VoiceAgreement, VoiceLayers, VoiceStudy
from mesm.statistics import Speakers
from mesm.studies.facs import agreement
from mesm.studies.facs.attention_maps import AttentionMaps, LayerMaps, coverage_on_grids


def voice_agreement(study: AttentionMaps, draws: int = 1000) -> VoiceStudy | None:
    """Estimate the lift on loud cells of every attention, site kind and layer; None without a voice."""
    layers = study.voices["checkpoint"]
    if not layers:
        return None
    speakers = Speakers(study.voice_speaker, draws)
    loud, spoken = coverage_on_grids(study.loud, layers), coverage_on_grids(study.spoken, layers)

    def row(kind: str, layer: LayerMaps, loud_Cn: np.ndarray, spoken_Cn: np.ndarray) -> VoiceAgreement:
        map_Cn = layer.of(kind)
        values = {
            "lift": agreement.lift(map_Cn, loud_Cn),
            "lift_sites": agreement.lift_within(map_Cn, loud_Cn, layer.active.astype(np.float32)),
            "lift_spoken": agreement.lift_within(map_Cn, loud_Cn, spoken_Cn),
            "speech": agreement.lift(map_Cn, spoken_Cn),
        }
        if kind == "attention":
            values["auc"] = agreement.auc(map_Cn, loud_Cn)
        else:
            values["kept_sites"] = layer.kept.sum(1).astype(float)
        return VoiceAgreement(**{measure: speakers.mean(v) for measure, v in values.items()})

    maps = {
        name: VoiceLayers(*(tuple(map(row, [kind] * len(layers), of_map, loud, spoken)) for kind in KINDS))
        for name, of_map in study.voices.items()
    }
    return VoiceStudy(len(study.loud), maps)

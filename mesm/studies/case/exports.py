"""One clip as an exhibit: the screen's mosaic for paper, and its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mesm.batch import Sample
from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import Exhibit
from mesm.figures.privacy import private_faces
from mesm.figures.style import MODALITY_WORDS, STAGE_WORDS
from mesm.figures.tables import Row, Table
from mesm.records.prediction import Prediction
from mesm.studies.case import captions
from mesm.studies.case.mosaic import Look, Strip
from mesm.studies.case.paper import plot_case
from mesm.studies.case.scores_paper import plot_scores


def case(
    sample: Sample, prediction: Prediction, strip: Strip, look: Look, origin: Mapping[str, Any], privacy: str
) -> Exhibit:
    """Faces, spectrogram and words on one axis, with what each layer kept.

    Args:
        origin: checkpoint, checkpoint_sha256, config, seed, trained_on; corpus, licence.
        privacy: one of `bundle.PRIVACY`.
    """
    look = replace(look, dark=False)  # paper is white
    layers = prediction.trace.layers if prediction.trace else {}
    parts = [
        f"{MODALITY_WORDS[m]}: {captions.mosaic_caption(layers[m], look)}"
        for m in ("visual", "acoustic")
        if layers.get(m)
    ]
    top_p = f" at p = {prediction.trace.top_p:g}" if prediction.trace else ""
    return Exhibit(
        name=f"case-{sample.clip_id}-{origin['checkpoint']}{f'-p{prediction.trace.top_p:g}' if prediction.trace else ''}",
        title=f"Clip {sample.clip_id}: what {origin['checkpoint']} looks at",
        caption=(
            f"“{sample.text}” ({captions.truth_words(sample.labels)}). What {origin['checkpoint']} keeps{top_p}. "
            + " ".join(parts)
        ),
        command=_command("case", sample, prediction, origin) + _look_options(strip, look) + f" --privacy {privacy}",
        origin=_origin(sample, prediction, origin, look),
        draw=lambda width: plot_case(private_faces(sample, privacy), layers, strip, look, width),
        cites=(PAPER, *corpus_cites(str(origin["corpus"]))),
        privacy=privacy,
        private=lambda other: case(sample, prediction, strip, look, origin, other),
    )


def scores(sample: Sample, prediction: Prediction, origin: Mapping[str, Any]) -> Exhibit:
    """Scores per emotion: fused, of each modality alone, thresholds, truth."""
    truth = sample.labels or {}
    columns = ("emotion", "fused", *(MODALITY_WORDS[m] for m in prediction.modality_scores), "threshold", "truth")
    rows = tuple(
        Row(
            (
                name,
                float(prediction.scores[i]),
                *(float(s[i]) for s in prediction.modality_scores.values()),
                float(prediction.thresholds[i]),
                float(truth.get(name, 0.0)),
            )
        )
        for i, name in enumerate(prediction.labels)
    )
    return Exhibit(
        name=f"scores-{sample.clip_id}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: scores",
        caption=(
            f"Scores of {origin['checkpoint']} for “{sample.text}”. Bars: all together; hollow signs: one modality "
            "alone; ticks: thresholds; bold: true of the clip."
        ),
        command=_command("scores", sample, prediction, origin),
        origin=_origin(sample, prediction, origin, None),
        draw=lambda width: plot_scores(prediction, truth, width),
        table=Table(columns, rows, digits=2),
        cites=(PAPER, *corpus_cites(str(origin["corpus"]))),
    )


def work(sample: Sample, prediction: Prediction, origin: Mapping[str, Any]) -> Exhibit:
    """What one clip costs, stage by stage, beside FE2E's convolutions."""
    macs = prediction.macs
    dense = macs.get("fe2e_conv_stack", 0)
    rows = [Row((STAGE_WORDS[stage], macs[stage] / 1e9)) for stage in STAGE_WORDS if stage in macs]
    rows += [Row(("all", macs.get("total", 0) / 1e9)), Row(("FE2E's convolutions", dense / 1e9), ranked=False)]
    ratio = f"{macs['conv_stack'] / dense:.2f} of FE2E's" if dense else "none"
    return Exhibit(
        name=f"cost-{sample.clip_id}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: what it costs",
        caption=f"Work of {origin['checkpoint']} on this clip; convolutions and attention take {ratio}.",
        command=_command("cost", sample, prediction, origin),
        origin=_origin(sample, prediction, origin, None),
        table=Table(("stage", "GMAC"), tuple(rows), digits=4),
        cites=(PAPER, *corpus_cites(str(origin["corpus"]))),
    )


def _command(kind: str, sample: Sample, prediction: Prediction, origin: Mapping[str, Any]) -> str:
    if not origin["corpus"]:
        return "# a visitor's own clip is not kept: no command makes this again"
    top_p = f" --top-p {prediction.trace.top_p:g}" if prediction.trace else ""
    return f"mesm figure {kind} {origin['checkpoint']}@{origin['corpus']} --clip {sample.clip_id}{top_p}"


def _look_options(strip: Strip, look: Look) -> str:
    """What differs from the command's defaults."""
    plain = Look()
    layers = ",".join(str(number + 1) for number in look.layers)
    return (
        (f" --look {look.overlay.replace(' ', '-')}" if look.overlay != plain.overlay else "")
        + (f" --opacity {look.opacity:g}" if look.opacity != plain.opacity else "")
        + (f" --layers {layers}" if look.layers != plain.layers else "")
        + (" --loudest" if look.loudest_only else "")
        + (f" --from {strip.start_s:g}" if strip.start_s else "")
    )


def _origin(sample: Sample, prediction: Prediction, origin: Mapping[str, Any], look: Look | None) -> dict[str, Any]:
    return {
        **origin,
        "split": sample.split,
        "n": 1,
        "clip_ids": [sample.clip_id],
        "top_p": prediction.trace.top_p if prediction.trace else None,
        **({"layers": [number + 1 for number in look.layers], "look": look.overlay} if look else {}),
        "macs": prediction.macs,
        "cost_unit": "MAC",
    }

"""Write the model card that lies beside the weights, from the checkpoint's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mesm.config import SALIENCY_TARGETS, EndToEndConfig, FeatureModelConfig, MESMConfig, ModelConfig
from mesm.estimate import counted
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.limits import is_non_commercial, is_rendered

_RENDERED_LIMITS = (
    "It was trained on rendered faces, synthetic speech and written sentences, in which the emotion is put on "
    "display by rule. Its scores are weak evidence about recorded people and none about what anyone feels; it must not be "
    "used to judge a person."
)
_PEOPLE_LIMITS = (
    "Intended for teaching and research on multimodal models and their attention; not for judging people. Its sources may "
    "hold posed or acted emotions and the labels of raters, and its text encoder reads English; other people, languages and "
    "recordings may score worse. "
)
#: Registry name -> what the model is, and whose.
_KINDS = {
    "fe2e": "FE2E, the dense model of Dai et al. (NAACL 2021)",
    "mesm": "MESM, the sparse cross-modal model of Dai et al. (NAACL 2021)",
    "lf_lstm": "LF-LSTM on hand-crafted features, a baseline of Dai et al. (NAACL 2021)",
    "lf_transformer": "LF-TRANS on hand-crafted features, a baseline of Dai et al. (NAACL 2021)",
    "emo_embs": "EmoEmbs of Dai et al. (AACL 2020), on hand-crafted features",
    "mult": "MulT of Tsai et al. (ACL 2019), on hand-crafted features",
}
_ANY_CORPUS = (
    "Its scores measure how far a clip resembles those that raters gave a label; they do not measure what a person feels, and "
    "must not be used to judge one."
)


def model_card(name: str, config: ModelConfig, metrics: CheckpointMetrics) -> str:
    """Write Markdown: the model, its training, its scores, and what it must not be used for."""
    train: dict[str, Any] = metrics.train
    corpus = metrics.trained_on
    lines = [
        f"# {name}",
        "",
        f"{_KINDS[config.name]}, width {config.width:g} of the paper's, on {', '.join(config.modalities)}.",
        "",
        "| | |",
        "|---|---|",
        f"| labels | {', '.join(config.labels)} |",
        f"| trained on | {corpus} |",
        *_inputs(config),
        f"| seed, epochs, rate | {train.get('seed', '?')}, {train.get('epochs', '?')}, {train.get('lr', '?')} |",
        f"| training time | {(metrics.train_seconds or 0) / 60:.0f} minutes |",
    ]
    if train.get("init_from"):
        start = PurePath(str(train["init_from"])).name
        weights = f"an earlier stage of {name}" if start == name else f"the weights of {start}"
        lines.append(f"| started from | {weights}, whose training time comes on top |")
    if isinstance(config, MESMConfig):
        drawn = train.get("top_p_range")
        lines += [
            f"| gate, score, query | {config.gate}, {config.score}, {config.query} |",
            f"| top-p | {f'drawn per batch from {drawn[0]} to {drawn[1]}' if drawn else config.top_p}; reference {config.top_p} |",
        ]
    lines += _teaching(train)
    lines += ["", "## Results", "", "Percent; thresholds chosen on the validation split.", ""]
    lines += ["| split | WAcc | F1 | AUC | clips | work of the conv stack |", "|---|---|---|---|---|---|"]
    for split, row in (("valid", metrics.valid), ("test", metrics.test)):
        if row is not None:
            work = f"{row.macs_ratio:.3f} of FE2E at top-p {row.top_p}" if row.macs_ratio and row.top_p else ""
            # A split in which a label never, or always, occurs has no WAcc and no AUC.
            shown = " | ".join("-" if score is None else f"{score:.1f}" for score in (row.wacc, row.f1, row.auc))
            lines.append(f"| {split} | {shown} | {row.n} | {work} |")
    if metrics.test is not None and "wacc" in metrics.test.interval:
        low, high = metrics.test.interval["wacc"]
        lines += [
            "",
            f"95 % interval of the test WAcc over {counted(metrics.test.speakers or 0, 'speaker')}: {low} to {high}; chance is 50.",
        ]
    undecided = [label for label, t in zip(config.labels, metrics.thresholds, strict=False) if t is None]
    if undecided:
        lines += [
            "",
            f"No decision for {', '.join(undecided)}: the validation split could not decide it, so it has a score and no "
            "threshold, and is never predicted.",
        ]
    if metrics.ceiling_share is not None:
        lines.append(
            f"That is {100 * metrics.ceiling_share:.0f} % of the way from chance to an ideal observer of "
            f"{', '.join(config.modalities)}, which uses the corpus's design but not the labels (WAcc "
            f"{metrics.ceiling_wacc:.1f})."
        )
    if metrics.sources:
        lines += ["", "## Sources and licences", "", *(f"- {source}" for source in metrics.sources)]
        if is_non_commercial(metrics):
            lines += ["", "A source allows non-commercial use only; so do these weights."]
        lines += ["", "A file LICENSE in this folder, where there is one, states the licence of the weights."]
    lines += ["", "## Limits", "", _limits(metrics)]
    if isinstance(config, MESMConfig) and config.query != "none":
        lines += [
            "",
            "The pattern of kept sites depends on the text and can carry it into the face's and the voice's branch; "
            "a claim about where its attention lies needs the shuffled-text test beside it.",
        ]
    return "\n".join(lines) + "\n"


def _limits(metrics: CheckpointMetrics) -> str:
    """Return the limits that follow from the sources."""
    if is_rendered(metrics):
        return _RENDERED_LIMITS
    return f"{_PEOPLE_LIMITS if metrics.sources else ''}{_ANY_CORPUS}"


def _inputs(config: ModelConfig) -> list[str]:
    """Return the rows on the inputs beside the clip's own picture and sound."""
    if isinstance(config, FeatureModelConfig) and config.feature_sources:
        pairs = zip(config.modalities, config.feature_sources, config.feature_dims, strict=True)
        return [f"| {modality} features | {dim} columns, {source} |" for modality, source, dim in pairs]
    kept = ", frozen"
    if isinstance(config, EndToEndConfig) and config.has_text_encoder:
        rank = config.text_adapter
        kept = f", frozen, with trained low-rank updates (rank {rank}) of its last layers" if rank else ""
    return [
        f"| text encoder | {config.text_source}{kept}, {config.text_pooling} pooling, "
        f"sha256 {config.text_sha256[:16] or 'unknown'} |"
    ]


#: Target of the attention supervision (`train.attention.target`) -> words for it.
_TARGETS: dict[str, str] = {
    "regions": "the regions of the active action units",
    "units": "the regions of the action units that a detector reads",
    "points": "a general map of the action units, laid by the five points",
    "face_saliency": "the saliency of the dense model that it started from, times a general map of the action units",
    "saliency": "the saliency of the dense model that it started from",
}


def _teaching(train: Mapping[str, Any]) -> list[str]:
    """Return the rows on what the training used beside the labels."""
    rows = []
    attention, auxiliary = train.get("attention", {}), train.get("auxiliary", {})
    neutral, two_texts = train.get("neutral", {}), train.get("two_texts", {})
    if auxiliary.get("weight") and auxiliary.get("target") == "units":
        rows.append("| auxiliary targets | the action units of each face as a detector reads them, in training only |")
    elif auxiliary.get("weight"):
        rows.append(
            "| auxiliary targets | the action units of each face, how the voice departed from plain reading, and which "
            "emotion a sentence names, from the corpus's truth, in training only |"
        )
    if neutral.get("per_batch") or two_texts.get("weight"):
        rows.append(
            f"| texts and faces | {neutral.get('per_batch', 0)} neutral faces with emotive texts in each batch"
            f"{'; each clip under two texts' if two_texts.get('weight') else ''} |"
        )
    if train.get("queries") == "shuffled":
        rows.append("| queries in training | the text of another clip of the batch |")
    if attention.get("weight"):
        active, named, loud = attention["target_shares"]
        target = attention.get("target", "regions")
        text = f", {named:.2f} on the regions of the text's emotion" if named and target == "regions" else ""
        voice = "the same" if target in SALIENCY_TARGETS else "the highest mel values"
        rows.append(
            f"| attention supervision | on the training people: a share of {active:.2f} on {_TARGETS[target]}{text}; of the "
            f"voice's, {loud:.2f} on {voice} |"
        )
    if train.get("distillation", {}).get("weight"):
        rows.append("| distillation | towards the dense model's scores of faces and voice |")
    if train.get("fusion") == "held_out":
        rows.append("| fusion weights | fitted on the validation split |")
    if train.get("freeze_text"):
        rows.append("| text branch | as at the start, not trained further |")
    if train.get("freeze_stem"):
        rows.append("| stem | as at the start, not trained further |")
    if train.get("freeze_attention"):
        rows.append("| attention | as at the start, not trained further |")
    return rows

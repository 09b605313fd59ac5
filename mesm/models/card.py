"""The model card that lies beside the weights, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesm.config import ModelConfig

_LIMITS = {
    "marionette": (
        "It was trained on rendered faces, synthetic speech and written sentences, in which the emotion is put on "
        "display by rule. It says little about recorded people and nothing about what anyone feels; it must not be used "
        "to judge a person."
    ),
}
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
    "Its scores say how far a clip resembles those that raters gave a label; they do not say what a person feels, and "
    "must not be used to judge one."
)


def model_card(name: str, config: ModelConfig, metrics: Mapping[str, Any]) -> str:
    """Markdown: what it is, on what and how it was trained, what it scores, what it must not be used for."""
    train, test, valid = metrics.get("train", {}), metrics.get("test"), metrics.get("valid")
    corpus = str(metrics.get("trained_on", "unknown"))
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
        f"| training time | {metrics.get('train_seconds', 0) / 60:.0f} minutes |",
    ]
    if train.get("init_from"):
        lines.append(f"| started from | the weights of {train['init_from']}, whose training time comes on top |")
    if config.name == "mesm":
        drawn = train.get("top_p_range")
        lines += [
            f"| gate, score, query | {config.gate}, {config.score}, {config.query} |",
            f"| top-p | {f'drawn per batch from {drawn[0]} to {drawn[1]}' if drawn else config.top_p}; reference {config.top_p} |",
        ]
    lines += _teaching(train)
    lines += ["", "## Results", "", "Percent; thresholds chosen on the validation split.", ""]
    lines += ["| split | WAcc | F1 | AUC | clips | work of the conv stack |", "|---|---|---|---|---|---|"]
    for split, row in (("valid", valid), ("test", test)):
        if row:
            work = (
                f"{row['macs_ratio']:.3f} of FE2E at top-p {row['top_p']}"
                if row.get("macs_ratio") and row.get("top_p")
                else ""
            )
            # A split in which a label never, or always, occurs has no WAcc and no AUC.
            shown = " | ".join("-" if row[key] is None else f"{row[key]:.1f}" for key in ("wacc", "f1", "auc"))
            lines.append(f"| {split} | {shown} | {row['n']} | {work} |")
    if test and "interval" in test:
        low, high = test["interval"]["wacc"]
        lines += [
            "",
            f"95 % interval of the test WAcc over {test['speakers']} speakers: {low} to {high}; chance is 50.",
        ]
    if metrics.get("ceiling_share") is not None:
        lines.append(
            f"That is {100 * metrics['ceiling_share']:.0f} % of the way from chance to an ideal observer of "
            f"{', '.join(config.modalities)}, who knows the corpus's design but not the labels (WAcc "
            f"{metrics['ceiling_wacc']:.1f})."
        )
    lines += ["", "## Limits", "", _LIMITS.get(corpus, _ANY_CORPUS)]
    if config.name == "mesm" and config.query != "none":
        lines += [
            "",
            "The pattern of kept sites depends on the text and can carry it into the face's and the voice's branch; "
            "a claim about where the model looks needs the shuffled-text test beside it.",
        ]
    return "\n".join(lines) + "\n"


def _inputs(config: ModelConfig) -> list[str]:
    """Rows on what the model reads beside the clip's own picture and sound."""
    if config.feature_sources:
        pairs = zip(config.modalities, config.feature_sources, config.feature_dims, strict=True)
        return [f"| {modality} features | {dim} columns, {source} |" for modality, source, dim in pairs]
    frozen = "" if config.text_trainable else ", frozen"
    return [
        f"| text encoder | {config.text_source}{frozen}, {config.text_pooling} pooling, "
        f"sha256 {config.text_sha256[:16] or 'unknown'} |"
    ]


def _teaching(train: Mapping[str, Any]) -> list[str]:
    """Return the rows on what the training used beside the labels."""
    rows = []
    attention, auxiliary = train.get("attention", {}), train.get("auxiliary", {})
    neutral, two_texts = train.get("neutral", {}), train.get("two_texts", {})
    if auxiliary.get("weight"):
        rows.append(
            "| auxiliary targets | the action units of each face, how the voice departed from plain reading, and which "
            "emotion a sentence names, as the corpus knows them, in training only |"
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
        text = f", {named:.2f} on the regions of the text's emotion" if named else ""
        rows.append(
            f"| attention supervision | on the training people: a share of {active:.2f} on the regions of the active "
            f"action units{text}; of the voice's, {loud:.2f} on the highest mel values |"
        )
    if train.get("fusion") == "held_out":
        rows.append("| fusion weights | fitted on the validation split |")
    if train.get("freeze_text"):
        rows.append("| text branch | as at the start, not trained further |")
    if train.get("freeze_stem"):
        rows.append("| stem | as at the start, not trained further |")
    if train.get("freeze_attention"):
        rows.append("| attention | as at the start, not trained further |")
    return rows

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
_ANY_CORPUS = (
    "Its scores say how far a clip resembles those that raters gave a label; they do not say what a person feels, and "
    "must not be used to judge one."
)


def model_card(name: str, config: ModelConfig, metrics: Mapping[str, Any]) -> str:
    """Markdown: what it is, on what and how it was trained, what it scores, what it must not be used for."""
    train, test, valid = metrics.get("train", {}), metrics.get("test"), metrics.get("valid")
    corpus = str(metrics.get("trained_on", "unknown"))
    kind = {"fe2e": "FE2E, the dense model", "mesm": "MESM, the sparse cross-modal model"}.get(config.name, config.name)
    lines = [
        f"# {name}",
        "",
        f"{kind} of Dai et al. (NAACL 2021), width {config.width:g} of the paper's, on {', '.join(config.modalities)}.",
        "",
        "| | |",
        "|---|---|",
        f"| labels | {', '.join(config.labels)} |",
        f"| trained on | {corpus} |",
        f"| text encoder | {config.text_source}{'' if config.text_trainable else ', frozen'}, {config.text_pooling} pooling, "
        f"sha256 {config.text_sha256[:16] or 'unknown'} |",
        f"| seed, epochs, rate | {train.get('seed', '?')}, {train.get('epochs', '?')}, {train.get('lr', '?')} |",
        f"| training time | {metrics.get('train_seconds', 0) / 60:.0f} minutes |",
    ]
    if train.get("init_from"):
        lines.append(f"| started from | the weights of {train['init_from']} |")
    if config.name == "mesm":
        drawn = train.get("top_p_range")
        lines += [
            f"| gate, score, query | {config.gate}, {config.score}, {config.query} |",
            f"| top-p | {f'drawn per batch from {drawn[0]} to {drawn[1]}' if drawn else config.top_p}; reference {config.top_p} |",
        ]
    lines += ["", "## Results", "", "Percent; thresholds chosen on the validation split.", ""]
    lines += ["| split | WAcc | F1 | AUC | clips | work of the conv stack |", "|---|---|---|---|---|---|"]
    for split, row in (("valid", valid), ("test", test)):
        if row:
            work = (
                f"{row['macs_ratio']:.3f} of FE2E at top-p {row['top_p']}"
                if row.get("macs_ratio") and row.get("top_p")
                else ""
            )
            lines.append(f"| {split} | {row['wacc']:.1f} | {row['f1']:.1f} | {row['auc']:.1f} | {row['n']} | {work} |")
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
    if config.name == "mesm" and config.query == "text":
        lines += [
            "",
            "The pattern of kept sites depends on the text and can carry it into the face's and the voice's branch; "
            "a claim about where the model looks needs the shuffled-text test beside it.",
        ]
    return "\n".join(lines) + "\n"

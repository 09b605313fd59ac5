"""Named runs: what to type instead of twenty settings. The paper's values where the paper gives them (section 5.3)."""

from __future__ import annotations

from dataclasses import replace

from mesm.config import ModelConfig, RunConfig, TrainConfig
from mesm.errors import ConfigError
from mesm.vocabulary import CORPUS_LABELS

#: Small enough for two laptop cores: a quarter of the paper's channels, frozen MiniLM with one hidden layer.
_SMALL = ModelConfig(
    name="fe2e",
    labels=CORPUS_LABELS["marionette"],
    width=0.25,
    # Means and spreads of the default corpus's training split, empty mel bands left out.
    face_mean=(124.0, 97.0, 80.0),
    face_std=(48.0, 39.0, 35.0),
    mel_mean=-2.7,
    mel_std=2.2,
    text_hidden=128,
    head_dim=256,
    transformer_layers=2,
    transformer_feedforward=256,
    dropout=0.2,
)

#: The paper's model: full width, ALBERT fine-tuned with a tenth of the rate.
_PAPER = ModelConfig(
    name="fe2e",
    text_source="albert-base-v2",
    text_dim=768,
    text_pooling="cls",
    text_trainable=True,
    mel_scaling="power",
    mel_mean=0.0,
    mel_std=1.0,
)
_PAPER_TRAIN = TrainConfig(
    epochs=40, batch_size=8, optimizer="adam", lr=5e-5, attention_lr_factor=1.0, weight_decay=0.0, schedule="constant",
    warmup=0.0, branch_loss=0.0, augment=False, patience=8,
)  # fmt: skip


def _paper(corpus: str, top_p: float) -> dict[str, RunConfig]:
    dense = replace(_PAPER, labels=CORPUS_LABELS[corpus])
    return {
        f"{corpus}-fe2e": RunConfig(dense, _PAPER_TRAIN),
        f"{corpus}-mesm": RunConfig(replace(dense, name="mesm", top_p=top_p), _PAPER_TRAIN),
        f"{corpus}-mesm-hard": RunConfig(replace(dense, name="mesm", top_p=top_p, gate="hard"), _PAPER_TRAIN),
    }


#: A rate that has fallen to nothing ends well; among so few validation clips the best epoch is mostly luck.
_MARIONETTE = TrainConfig(epochs=12, batch_size=16, lr=1e-3, keep="last", cause_loss=2.0)

PRESETS: dict[str, RunConfig] = {
    "marionette-fe2e": RunConfig(_SMALL, _MARIONETTE),
    # Any-p: the nucleus mass is drawn per batch, so that one checkpoint serves the whole slider. Starts from FE2E's
    # weights; from scratch a p = 0.5 mask does not train.
    "marionette-mesm": RunConfig(
        replace(_SMALL, name="mesm", top_p=0.5),
        replace(_MARIONETTE, epochs=5, lr=5e-4, top_p_range=(0.3, 1.0)),
    ),
    # One mass for all batches, as in the paper: a little better at that p, worse away from it.
    "marionette-mesm-fixed": RunConfig(
        replace(_SMALL, name="mesm", top_p=0.5), replace(_MARIONETTE, epochs=5, lr=5e-4)
    ),
    **_paper("iemocap", 0.7),
    **_paper("mosei", 0.5),
}


def preset(name: str) -> RunConfig:
    """The run of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]

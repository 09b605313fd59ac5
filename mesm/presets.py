"""List the named runs: a model and a training each, with the paper's values where it gives them (section 5.3)."""

from __future__ import annotations

from dataclasses import replace

from mesm.config import (
    BranchLossConfig,
    LFLSTMConfig,
    RunConfig,
    TrainConfig,
)
from mesm.config.starts import ANY_P, PAPER, PAPER_TRAIN, SCORE, SMALL, SMALL_TRAIN, TEXT_GUIDED
from mesm.errors import ConfigError
from mesm.vocabulary import CORPUS_LABELS

#: Section 5.3: what the two-phase baselines were trained with. Their code has no positions; sequences run to 500 rows.
BASELINE = LFLSTMConfig(positions=False, max_segments=4096)
BASELINE_TRAIN = replace(PAPER_TRAIN, epochs=60, batch_size=32, lr=5e-4, clip_norm=2.0)
#: The two-phase baselines: name in a preset -> registry name.
BASELINES: dict[str, str] = {
    "lf-lstm": "lf_lstm",
    "lf-transformer": "lf_transformer",
    "emo-embs": "emo_embs",
    "mult": "mult",
}


def baseline_run(short: str, labels: tuple[str, ...], size: str = "small") -> RunConfig:
    """Return the run of a two-phase baseline, a name in `BASELINES`, of size `small` or `paper`."""
    model, train = (BASELINE, BASELINE_TRAIN) if size == "paper" else (SMALL, SMALL_BASELINE_TRAIN)
    return RunConfig(model.as_model(BASELINES[short], labels=labels), train)


def _baselines(corpus: str, size: str) -> dict[str, RunConfig]:
    return {f"{corpus}-{short}": baseline_run(short, CORPUS_LABELS[corpus], size) for short in BASELINES}


def _paper(corpus: str, top_p: float) -> dict[str, RunConfig]:
    dense = replace(PAPER, labels=CORPUS_LABELS[corpus])
    # ImageNet's own normalisation; the rest of the network is the paper's.
    vgg = replace(dense, cnn="vgg11", face_mean=(123.675, 116.28, 103.53), face_std=(58.395, 57.12, 57.375))
    return {
        **_baselines(corpus, "paper"),
        f"{corpus}-fe2e-vgg11": RunConfig(vgg, replace(PAPER_TRAIN, cnn_weights="imagenet")),
        f"{corpus}-fe2e": RunConfig(dense, PAPER_TRAIN),
        f"{corpus}-mesm": RunConfig(dense.as_model("mesm", top_p=top_p), PAPER_TRAIN),
        f"{corpus}-mesm-hard": RunConfig(dense.as_model("mesm", top_p=top_p, gate="hard"), PAPER_TRAIN),
    }


#: The best epoch is kept: on features alone a small corpus is overfitted within few epochs.
SMALL_BASELINE_TRAIN = TrainConfig(epochs=20, batch_size=32, lr=1e-3, augment=False, branch=BranchLossConfig(0.0))

_MESM = SMALL.as_model("mesm", top_p=0.5, score=SCORE)

#: The demo corpus's models. MESM starts from FE2E, because a p = 0.5 mask does not train from scratch.
PRESETS: dict[str, RunConfig] = {
    "marionette-fe2e": RunConfig(SMALL, SMALL_TRAIN),
    "marionette-mesm": RunConfig(_MESM, ANY_P),
    # Starts from the one above; the last stage of the checkpoint that ships.
    "marionette-mesm-text-guided": RunConfig(_MESM, TEXT_GUIDED),
    # One mass for all batches, as in the paper: a little better at that p, worse away from it.
    "marionette-mesm-fixed": RunConfig(_MESM, replace(ANY_P, top_p_range=())),
    **_baselines("marionette", "small"),
    **_paper("iemocap", 0.7),
    **_paper("mosei", 0.5),
}


#: Name of a preset in older versions -> its name now; both are accepted.
RENAMED_PRESETS: dict[str, str] = {"marionette-mesm-steered": "marionette-mesm-text-guided"}


def preset(name: str) -> RunConfig:
    """Return the run of that name, or of its name in an older version.

    Raises:
        ConfigError: there is none.
    """
    name = RENAMED_PRESETS.get(name, name)
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]

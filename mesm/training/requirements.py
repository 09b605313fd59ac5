"""Check what a training needs before anything is trained or written: clips, truth, files of action units, a start."""

from __future__ import annotations

from importlib.util import find_spec

from mesm.config import SALIENCY_TARGETS, EndToEndConfig, FE2EConfig, RunConfig
from mesm.data.action_unit_files import action_unit_folder, check_unit_files
from mesm.data.known_truth import emotion_prototypes
from mesm.data.split_rows import split_rows
from mesm.data.store import Corpus
from mesm.errors import BackendUnavailable, ConfigError
from mesm.estimate import listed
from mesm.training.recipes import Recipe


def check_packages() -> None:
    """Check that the packages of the extra `train` are installed.

    Raises:
        BackendUnavailable: they are not.
    """
    if find_spec("accelerate") is None:
        raise BackendUnavailable("training needs the package accelerate; pip install 'mesm[train]'")


def check_recipe(recipe: Recipe, corpus: Corpus) -> None:
    """Check all stages of a recipe, as far as it can be done before the first one is trained.

    Raises:
        MesmError: a package is not installed, or a stage cannot be trained, see `check_run`.
    """
    check_packages()
    if recipe.stages[0].run.train.truth == "hidden" and not corpus.hide_truth:
        corpus = Corpus(corpus.folder, hide_truth=True)
    for number, stage in enumerate(recipe.stages):
        check_run(stage.run, corpus, follows=number > 0)
        before = recipe.stages[number - 1].run.model if number else None
        if isinstance(before, FE2EConfig) and before.cnn == "vgg11":
            raise ConfigError(f"stage {stage.name} cannot start from cnn=vgg11; leave cnn out, or train --recipe fe2e")


def check_run(run: RunConfig, corpus: Corpus, *, follows: bool = False) -> None:
    """Check one training.

    Args:
        corpus: to train on; with its truth hidden where the run's is.
        follows: the training starts from that of the stage before.

    Raises:
        ConfigError: settings that need a trained start and have none, do not go with the model, or read truth that the
            corpus lacks; the sentence has all of them.
        DataError: the corpus lacks a label or a split, or its files of action units cannot be read.
    """
    for split in ("train", "valid"):
        split_rows(corpus, split, run.model.labels, run.model.modalities)
    if not follows:
        _check_start(run)
    _check_model(run)
    _check_truth(run, corpus)
    if (run.train.auxiliary.weight and run.train.auxiliary.target == "units") or _attention_target(run) == "units":
        clip_ids = [row.clip_id for row in corpus.index if row.split == "train"]
        check_unit_files(action_unit_folder(run.train.action_units, corpus), clip_ids)


def _attention_target(run: RunConfig) -> str:
    """Return the target of the faces' attention; "" where it is not supervised."""
    attention = run.train.attention
    return attention.target if attention.weight and "visual" in run.model.modalities else ""


def _check_start(run: RunConfig) -> None:
    train = run.train
    remedies = {
        "freeze_stem=false": train.freeze_stem,
        "freeze_text=false": train.freeze_text,
        "freeze_branches=false": train.freeze_branches,
        "attention.target=points": bool(train.attention.weight) and train.attention.target in SALIENCY_TARGETS,
        "distillation.weight=0": bool(train.distillation.weight) and not train.distillation.checkpoint,
    }
    needed = [remedy for remedy, needs in remedies.items() if needs]
    if needed and not train.init_from:
        settings = [remedy.partition("=")[0] for remedy in needed]
        raise ConfigError(
            f"{listed(settings)} need{'s' * (len(needed) == 1)} a trained FE2E: name one with --init, or set "
            f"{listed(needed)}"
        )


def _check_model(run: RunConfig) -> None:
    model, train = run.model, run.train
    if train.attention.weight and model.name != "mesm":
        raise ConfigError(f"{model.name} has no attention to supervise; set train.attention.weight=0")
    frozen = isinstance(model, EndToEndConfig) and not model.has_text_encoder
    if train.neutral.per_batch and not (model.name == "mesm" and "visual" in model.modalities and frozen):
        raise ConfigError(
            "neutral faces need a MESM with a visual branch and a frozen text encoder; set train.neutral.per_batch=0"
        )


def _check_truth(run: RunConfig, corpus: Corpus) -> None:
    train = run.train
    regions = _attention_target(run) == "regions"
    needs = {
        "train.auxiliary.weight=0": ("action_units", "prosody")
        if train.auxiliary.weight and train.auxiliary.target == "truth"
        else (),
        "train.attention.target=points": ("action_units", "regions") if regions else (),
        "train.neutral.per_batch=0": ("neutral_faces",) if train.neutral.per_batch else (),
    }
    lacking = {remedy: [name for name in names if name not in corpus.capabilities] for remedy, names in needs.items()}
    if remedies := [remedy for remedy, names in lacking.items() if names]:
        names = dict.fromkeys(name.replace("_", " ") for each in lacking.values() for name in each)
        raise ConfigError(
            f"corpus {corpus.name!r} has no known {listed(list(names))}; set {listed(remedies)}, or train with --recipe "
            "mesm, which plans for what the corpus holds"
        )
    prototypes = emotion_prototypes(corpus) if regions else {}
    unknown = next((name for name in run.model.labels if name not in prototypes), None) if regions else None
    if unknown is not None:
        raise ConfigError(f"the action units of {unknown!r} are not known; set train.attention.weight=0")

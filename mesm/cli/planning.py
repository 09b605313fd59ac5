"""Read the options that name a training: a recipe or a preset, its corpus, its start and other settings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mesm.cli import measuring
from mesm.errors import ConfigError
from mesm.vocabulary import RECIPES, SIZES

if TYPE_CHECKING:
    from mesm.config import RunConfig
    from mesm.data.store import Corpus
    from mesm.training.recipes import Recipe


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that name what is trained, on which corpus and with which settings."""
    parser.add_argument("--recipe", choices=RECIPES, help="stages planned from what the corpus holds")
    parser.add_argument("--preset", help="instead of a recipe: fixed settings of one training; see mesm/presets.py")
    parser.add_argument("--size", choices=SIZES, help="of a recipe: width, text encoder and rates (default: small)")
    parser.add_argument(
        "--cold", action="store_true", help="of --recipe paper: MESM from random weights, as in the paper"
    )
    parser.add_argument("--stage", metavar="NAME", help="one stage of a recipe alone: dense, sparse or text-guided")
    parser.add_argument("--init", default="", help="name or folder of a checkpoint that the first stage starts from")
    parser.add_argument(
        "--hide-truth", action="store_true", help="train on labels only, also where the corpus has more known truth"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="model.width=0.5, train.attention.weight=2, or short width=0.5; in every stage; repeatable",
    )
    parser.add_argument("--seed", type=int, help="short for --set train.seed=N")


def planned(arguments: argparse.Namespace) -> Recipe:
    """Plan the stages of a command line, with its start, --set and --seed; a preset is a recipe of one stage.

    All that can be checked before the training is checked (`mesm.training.requirements`).

    Raises:
        ConfigError: options or settings that do not go together or with the corpus, or a setting that does not exist.
        CheckpointError: there is no such checkpoint.
        DataError: there is no such corpus, or it lacks what the training needs.
    """
    from dataclasses import replace

    from mesm.data.store import Corpus
    from mesm.training.requirements import check_recipe

    if bool(arguments.recipe) == bool(arguments.preset):
        raise ConfigError("give either --recipe, which plans for the corpus, or --preset, which is fixed")
    corpus = measuring.corpus_to_score(arguments.corpus)
    if arguments.hide_truth:
        corpus = Corpus(corpus.folder, hide_truth=True)
    recipe = _of_preset(arguments) if arguments.preset else _of_corpus(arguments, corpus)
    if arguments.stage:
        recipe = replace(recipe, stages=(recipe.stage(arguments.stage),))
    if arguments.init:
        recipe = recipe.start_from(arguments.init)
    truth = {"truth": "hidden"} if arguments.hide_truth else {}
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    recipe = recipe.change_training(corpus=str(corpus.folder), **truth, **seed).with_settings(_settings(arguments.set))
    train = recipe.stages[0].run.train
    recipe = recipe.start_from(_checkpoint_place(train.init_from))
    if teacher := train.distillation.checkpoint:
        recipe = recipe.with_settings({"train.distillation.checkpoint": _checkpoint_place(teacher)})
    check_recipe(recipe, corpus)
    return recipe


def _checkpoint_place(name: str) -> str:
    """Return the whole path of a checkpoint's folder, or its hub id; "" for no name."""
    from mesm.analysis.checkpoints import checkpoint_source

    place = checkpoint_source(name) if name else None
    return "" if place is None else str(place.resolve() if place.is_dir() else place)


def run_config(arguments: argparse.Namespace) -> RunConfig:
    """Return the one training that a command line names: of a preset, or of a stage.

    Raises:
        ConfigError: the recipe has several stages; see also `planned`.
    """
    recipe = planned(arguments)
    if len(recipe.stages) > 1:
        names = ", ".join(stage.name for stage in recipe.stages)
        raise ConfigError(f"recipe {recipe.name} has several stages; choose one of them with --stage: {names}")
    return recipe.stages[0].run


def plan_options(arguments: argparse.Namespace) -> list[str]:
    """Return the words of a command line that name what is trained, and its corpus; not its start and its settings."""
    words: list[str] = []
    for name in ("recipe", "preset", "size", "stage"):
        words += [f"--{name}", getattr(arguments, name)] if getattr(arguments, name) else []
    words += [f"--{name.replace('_', '-')}" for name in ("cold", "hide_truth") if getattr(arguments, name)]
    return [*words, "--corpus", arguments.corpus]


def _of_preset(arguments: argparse.Namespace) -> Recipe:
    from mesm.presets import preset
    from mesm.training.recipes import one_stage

    if arguments.size or arguments.cold or arguments.stage:
        raise ConfigError("--size, --cold and --stage belong to --recipe; leave them out, or give --recipe")
    return one_stage(arguments.preset, preset(arguments.preset))


def _of_corpus(arguments: argparse.Namespace, corpus: Corpus) -> Recipe:
    from mesm.training.recipes import CorpusFacts, plan_recipe

    return plan_recipe(arguments.recipe, CorpusFacts.of(corpus), arguments.size or "small", cold=arguments.cold)


def _settings(options: list[str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for item in options:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item!r} names no setting; write it like model.width=0.5 or train.epochs=3")
        settings[name] = value
    return settings

"""`mesm convert`: convert a state dict of the authors' implementation to a checkpoint."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm convert`."""
    parser.epilog = (
        "The file is read as plain tensors only. It has no decision thresholds: they are 0.5 until mesm evaluate.\n"
        "example:\n  mesm convert mme2e.pt checkpoints/mme2e --labels iemocap"
    )
    parser.add_argument("source", metavar="SRC.pt", help="state dict of MME2E, MME2E_Sparse, LF_RNN or LF_Transformer")
    parser.add_argument("out", metavar="OUT", help="folder of the checkpoint")
    parser.add_argument(
        "--labels",
        default="iemocap",
        help="iemocap (default), mosei, or emotions with commas, in the order of the scores",
    )
    parser.add_argument("--modalities", default="tav", help="modalities it was trained with (default: %(default)s)")
    parser.add_argument(
        "--heads", type=int, default=4, help="heads of its sequence Transformers (default: %(default)s)"
    )
    parser.add_argument("--top-p", type=float, default=0.5, help="nucleus mass of MME2E_Sparse (default: %(default)s)")
    parser.add_argument(
        "--text-source", default="", help="hub id or folder of its ALBERT; default: chosen by its width"
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert the weights and print the kind of model."""
    from pathlib import Path

    from mesm.errors import ConfigError
    from mesm.models.card import model_card
    from mesm.models.checkpoint import save_state
    from mesm.models.convert import convert, read_state
    from mesm.records.checkpoint import CheckpointMetrics
    from mesm.vocabulary import CORPUS_LABELS

    letters = {"t": "text", "v": "visual", "a": "acoustic"}
    if not arguments.modalities or set(arguments.modalities) - set(letters):
        raise ConfigError(f"--modalities {arguments.modalities!r} must be letters of tav")
    labels = CORPUS_LABELS.get(arguments.labels) or tuple(arguments.labels.split(","))
    config, state = convert(
        read_state(arguments.source),
        labels,
        tuple(name for letter, name in letters.items() if letter in arguments.modalities),
        heads=arguments.heads,
        top_p=arguments.top_p,
        text_source=arguments.text_source,
    )
    metrics = CheckpointMetrics(converted_from=Path(arguments.source).name)
    folder = save_state(arguments.out, state, config, metrics, model_card(Path(arguments.out).name, config, metrics))
    print(
        f"{config.name} on {', '.join(config.modalities)}, {sum(v.numel() for v in state.values()) / 1e6:.1f} M values"
    )
    print(folder)
    return 0

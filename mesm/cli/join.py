"""`mesm join`: join checkpoints of single modalities into one, with fusion weights fitted on a corpus that has all."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm join`."""
    parser.epilog = (
        "A modality comes from the first checkpoint that has it. Thresholds are fitted with the fusion weights.\n"
        "example:\n"
        "  mesm join runs/faces runs/voices runs/words --corpus corpora/people --out checkpoints/people-fe2e"
    )
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="name, checkpoint folder or run folder")
    parser.add_argument("--corpus", required=True, help="its validation split decides the fusion weights")
    parser.add_argument("--out", required=True, help="folder of the checkpoint")


def run(arguments: argparse.Namespace) -> int:
    """Join the checkpoints and print the fusion weights and the folder."""
    from pathlib import Path

    from mesm.analysis.checkpoints import checkpoint_folder
    from mesm.data.corpora import open_corpus
    from mesm.models import load_checkpoint
    from mesm.training.joining import join_checkpoints

    parts = [load_checkpoint(checkpoint_folder(name)) for name in arguments.checkpoints]
    folder, weights = join_checkpoints(parts, open_corpus(arguments.corpus), Path(arguments.out))
    print("fusion weights: " + ", ".join(f"{modality} {weight:.2f}" for modality, weight in weights.items()))
    print(folder)
    return 0

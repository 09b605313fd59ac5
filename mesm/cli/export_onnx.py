"""`mesm export-onnx`: write a model for ONNX Runtime, OpenVINO and other runtimes."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm export-onnx`."""
    parser.epilog = (
        "Inputs of the graph, one clip at a time: text_vector (1, D) of the checkpoint's text encoder, faces (S, 3, 48, 48) in\n"
        "0..255, mels (S, 1, 128, 32) in log10 power; outputs: scores (1, emotions), modality_logits (1, modalities, emotions).\n"
        "Of a MESM the dense form is written: masks and scores at one top-p, with every convolution computed at every site,\n"
        "so no work is saved.\n"
        "example:\n  mesm export-onnx marionette-fe2e --out fe2e.onnx"
    )
    parser.add_argument("checkpoint", help="name or folder of an FE2E or MESM")
    parser.add_argument("--top-p", type=float, help="nucleus mass of a MESM in (0, 1]; default: the checkpoint's")
    parser.add_argument("--out", required=True, help="file to write")


def run(arguments: argparse.Namespace) -> int:
    """Write the file and print its inputs and outputs."""
    from pathlib import Path

    from mesm.analysis.predictor import load
    from mesm.models.onnx_form import write_onnx

    predictor, out = load(arguments.checkpoint, device="cpu"), Path(arguments.out)
    inputs = write_onnx(predictor.model, predictor.config, out, arguments.top_p)
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB): {', '.join(inputs)} -> scores, modality_logits")
    print(f"scores in the order {', '.join(predictor.labels)}")
    return 0

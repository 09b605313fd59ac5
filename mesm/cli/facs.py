"""`mesm facs`: where the attention looks, against the regions of action units, with chance and controls."""

from __future__ import annotations

import argparse
from typing import Any

from mesm.cli import measuring
from mesm.studies.facs.codebooks import CODEBOOKS

_NOUN = {"checkpoint": "checkpoint", "hard": "hard gate, untrained", "random": "attention drawn anew"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm facs`."""
    parser.epilog = "example:\n  mesm facs marionette-mesm --corpus marionette --codebook belharbi2024"
    parser.add_argument("checkpoint", help="name or folder of a MESM checkpoint")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument(
        "--codebook", default="emfacs", choices=sorted(CODEBOOKS), help="which one to print; all are kept"
    )
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument("--clips", type=int, help="use no more than this many clips, the speakers in turn")
    parser.add_argument("--regions", choices=("truth", "points", "landmarks"), help="default: the truth if known")
    parser.add_argument(
        "--active-from", type=float, default=0.2, help="intensity of an active unit (default: %(default)s)"
    )
    parser.add_argument(
        "--units", metavar="DIR", help="action units of recorded faces: OpenFace or py-feat, CLIP.csv each"
    )
    parser.add_argument("--units-fps", type=float, help="frame rate of those files, if they have no timestamp")
    parser.add_argument("--inits", type=int, default=20, help="fresh attentions of the control (default: %(default)s)")
    parser.add_argument(
        "--people",
        type=int,
        default=24,
        help="people whose neutral faces to render, if possible (default: %(default)s)",
    )
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Look, print the tables, write the record."""
    from mesm.analysis.predictor import load
    from mesm.data.corpora import open_corpus
    from mesm.studies.facs.measure import facs

    measuring.positive(arguments, "clips", "inits")
    predictor, corpus = load(arguments.checkpoint), open_corpus(arguments.corpus)
    with measuring.bar() as show:
        data = facs(
            predictor,
            corpus,
            arguments.split,
            arguments.top_p,
            clips=arguments.clips,
            book=arguments.codebook,
            regions=arguments.regions,
            active_from=arguments.active_from,
            units_folder=arguments.units,
            units_fps=arguments.units_fps,
            inits=arguments.inits,
            people=max(arguments.people, 0),
            progress=show,
        )
    path = measuring.write(arguments, "facs", predictor, corpus, data, _options(arguments), one_corpus=True)
    print(text(data))
    print(path)
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those that are not the default; a folder belongs to this machine and is not named."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    names = ("split", "codebook", "top-p", "clips", "regions", "active-from", "units-fps", "inits", "people")
    found = {name: (name.replace("-", "_"), getattr(arguments, name.replace("-", "_"))) for name in names}
    changed = {name: value for name, (key, value) in found.items() if value != parser.get_default(key)}
    return changed | ({"units": "DIR"} if arguments.units else {})


def text(data: dict[str, Any]) -> str:
    """The record for a terminal."""
    counts = data["counts"]
    lines = [
        f"{counts['clips']} clips, {counts['speakers']} speakers, {counts['frames_used']} of {counts['frames']} frames "
        f"({counts['frames_without_face']} without a face left out), top_p {data['top_p']}, regions by {data['regions']}",
        *data.get("taught", []),
        "",
        *_active(data),
        *_emotions(data),
        *_voice(data["voice"]),
        *_targets(data["targets"]),
    ]
    return "\n".join(lines)


def _cell(estimate: dict[str, Any] | None, width: int = 8) -> str:
    value = None if estimate is None else estimate["value"]
    return f"{'-' if value is None else format(value, '.2f'):>{width}}"


def _active(data: dict[str, Any]) -> list[str]:
    if data["units_from"] is None:
        return ["no action units are known of these faces: only agreement with codebooks", ""]
    lines = [
        f"kept sites on the active units, lift per layer (chance 1){'':4}over crop{'':17}over active sites{'':9}head only"
    ]
    for name, noun in _NOUN.items():
        table = data["maps"][name]["kept"]["active"]
        cells = ["".join(_cell(row[m]) for row in table) for m in ("lift", "lift_sites", "lift_head")]
        lines.append(f"  {noun:50}" + "  ".join(cells))
    control = data["random_control"]
    if control is not None:
        row = "".join(_cell(e) for e in control["crop"])
        lines.append(f"  {'mean of ' + str(control['inits']) + ' drawn anew':50}{row}")
    best = data["best_layer_lift"]
    if best is not None and best["low"] is not None:
        lines.append(f"best layer: {best['layer']}, {best['value']:.2f} [{best['low']:.2f}, {best['high']:.2f}]")
    return [*lines, ""]


def _emotions(data: dict[str, Any]) -> list[str]:
    book = data["codebook"]
    kept = data["maps"]["checkpoint"]["kept"]
    lines = [
        f"agreement with a codebook: {data['codebooks'][book]['title']}; kept sites, lift per layer, * q < .05 against "
        "chance, + against shuffled labels"
    ]
    for emotion, layers in kept["codebooks"][book].items():
        if layers is None:
            lines.append(f"  {emotion:12}no prototype")
            continue
        units = "+".join(str(n) for n in data["codebooks"][book]["units"][emotion])
        cells = "".join(_cell(row["lift"]) + _marks(row["lift"]) for row in layers)
        lines.append(f"  {emotion:12}{units:22}{cells}  centre bias" + "".join(_cell(r["null_centre"]) for r in layers))
    return [*lines, ""]


def _marks(estimate: dict[str, Any]) -> str:
    def small(key: str) -> bool:
        return estimate.get(key) is not None and estimate[key] < 0.05

    return ("*" if small("q") else " ") + ("+" if small("q_labels") else " ")


def _voice(voice: dict[str, Any] | None) -> list[str]:
    if voice is None:
        return []
    lines = [
        f"voice: kept sites on the loudest tenth of the mel, lift per layer{'':8}over chunk{'':16}spoken columns only"
    ]
    for name, noun in _NOUN.items():
        table = voice["maps"][name]["kept"]
        cells = ["".join(_cell(row[m]) for row in table) for m in ("lift", "lift_spoken")]
        lines.append(f"  {noun:61}" + "  ".join(cells))
    return [*lines, ""]


def _targets(rows: list[dict[str, Any]]) -> list[str]:
    mark = {True: "reached", False: "MISSED", None: "-"}
    return [f"{mark[row['reached']]:8}{row['name']}: {row['found']} (wanted {row['wanted']})" for row in rows]

"""`mesm reproduce`: a table or figure of the paper on a corpus, by one command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesm.analysis.reproduce import Plan
    from mesm.figures.bundle import Exhibit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm reproduce`."""
    parser.epilog = (
        "Trains what is not trained yet (an interrupted run goes on), evaluates by the paper's protocol, and writes records,\n"
        "CSV, LaTeX and PDF: our numbers beside the reported ones, the trivial answers, and what was not run.\n"
        "IEMOCAP and CMU-MOSEI use the paper's settings (and need ALBERT within reach), any other corpus the small ones.\n"
        "examples:\n"
        "  mesm reproduce table4 --corpus corpora/marionette --seeds 3\n"
        "  mesm reproduce table3 --corpus corpora/iemocap --models mult fe2e mesm\n"
        "  mesm reproduce figure5 --corpus corpora/marionette"
    )
    parser.add_argument("what", choices=sorted(WHAT), help="table1 to table5, figure3 to figure5")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus with train, valid and test")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1); a line is then their mean")
    parser.add_argument(
        "--models", nargs="+", default=[], help="lines of table 3 or 4, such as mult mesm; default: all"
    )
    parser.add_argument("--epochs", type=int, default=0, help="of every training; default: the presets'")
    parser.add_argument("--clips", type=int, default=0, help="of the training split; default: all")
    parser.add_argument("--checkpoint", help="figures: this MESM instead of one that is trained here")
    parser.add_argument("--clip", help="figures 3 and 4: id of the clip; default: the first that is scored right")
    parser.add_argument("--runs", help="folder of the runs; default: the workspace's reproduce/CORPUS/runs")
    parser.add_argument("--out", help="folder of the files; default: the workspace's reproduce/CORPUS")
    parser.add_argument("--width", default="acl-text", help="of the pictures, as in mesm figure (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce and print where the files are."""
    from mesm.analysis.reproduce import Plan
    from mesm.data.corpora import open_corpus
    from mesm.figures.bundle import files_of
    from mesm.records import slug, write_atomic
    from mesm.runtime import workspace

    corpus = open_corpus(arguments.corpus)
    home = workspace() / "reproduce" / slug(corpus.name)
    out = Path(arguments.out) if arguments.out else home
    plan = Plan(
        corpus,
        Path(arguments.runs) if arguments.runs else home / "runs",
        tuple(range(max(1, arguments.seeds))),
        arguments.epochs,
        arguments.clips,
    )
    for exhibit in WHAT[arguments.what](arguments, plan, out / "records"):
        forms = [form for form in ("pdf", "tex", "csv") if form in exhibit.formats]
        for name, content in files_of(exhibit, forms, arguments.width).items():
            print(write_atomic(out / name, content))
    return 0


def _command(arguments: argparse.Namespace, plan: Plan) -> str:
    """Without folders, which belong to this machine."""
    options = [f"--seeds {len(plan.seeds)}"]
    options += [f"--models {' '.join(arguments.models)}"] if arguments.models else []
    options += [f"--{k} {getattr(arguments, k)}" for k in ("epochs", "clips") if getattr(arguments, k)]
    return " ".join([f"mesm reproduce {arguments.what} --corpus {plan.corpus.name}", *options])


def _splits(arguments: argparse.Namespace, plan: Plan, records: Path) -> list[Exhibit]:
    from mesm.analysis import reported
    from mesm.analysis.breakdown import split_counts
    from mesm.figures.exhibits.results import splits_table

    number, corpus = int(arguments.what[-1]), plan.corpus
    return [splits_table(corpus.name, split_counts(corpus.index, corpus.labels), number, reported.split_counts(number))]


def _scores(arguments: argparse.Namespace, plan: Plan, records: Path) -> list[Exhibit]:
    from dataclasses import replace

    from mesm.analysis import reported
    from mesm.analysis.reproduce import choose_models, lines, needs_features
    from mesm.cli.train import Bar
    from mesm.errors import DataError
    from mesm.figures.exhibits.reproduction import models_table
    from mesm.figures.exhibits.results import scores_table
    from mesm.records import read_record, write_record

    command, bar, written = _command(arguments, plan), Bar(), []

    def done(model: str, data: dict[str, Any]) -> None:
        path = write_record(records, "reproduce", model, plan.corpus.name, data, command=command)
        written.append(read_record(path))
        bar.tqdm.write(f"{model}: Acc {data['accuracy']:.1f}, WAcc {data['wacc']:.1f}, F1 {data['f1']:.1f}")

    models = choose_models(arguments.models)
    if any(needs_features(model) for model in models):
        _make_features(plan)
    left_out = lines(plan, models, bar, done)
    for model, why in left_out.items():
        print(f"not run: {model}: {why}")
    if not written:
        raise DataError(f"no line of {arguments.what} could be made; the reasons are above")
    number = int(arguments.what[-1])
    table = scores_table(written, number, *reported.rows_for(number))
    missing = f" Not run: {', '.join(left_out)}." if left_out else ""
    table = replace(table, command=command, caption=f"{table.caption} {len(plan.seeds)} seed(s).{missing}")
    return [table, models_table(written, command)]


def _make_features(plan: Plan) -> None:
    """The built-in features, where the corpus has none; what cannot be made is said by the models that need it."""
    from mesm.cli.features import extract
    from mesm.data.features import FeatureStore, feature_folder
    from mesm.errors import DataError

    folder = feature_folder(plan.corpus)
    for modality in ("text", "visual", "acoustic"):
        try:
            FeatureStore(folder, [modality])
        except DataError:
            try:
                extract(plan.corpus, folder, [modality])
            except DataError as error:
                print(f"no {modality} features: {error}")


def _ablation(arguments: argparse.Namespace, plan: Plan, records: Path) -> list[Exhibit]:
    from dataclasses import replace

    from mesm.analysis import reported
    from mesm.analysis.ablation import Setting, ablate
    from mesm.analysis.reproduce import family
    from mesm.cli.train import Bar
    from mesm.figures.exhibits.results import ablation_table
    from mesm.presets import preset
    from mesm.records import read_record, write_record

    name, corpus = family(plan.corpus), plan.corpus
    base = preset(f"{name}-fe2e")
    setting = Setting(
        str(corpus.folder),
        name,
        base.model.width,
        plan.clips,
        plan.epochs or base.train.epochs,
        plan.split,
        causes=plan.rendered,
    )
    data = ablate(setting, plan.folder / "ablation", ["FE2E, modalities", "MESM, modalities"], plan.seeds, report=Bar())
    command = _command(arguments, plan)
    record = read_record(write_record(records, "ablation", "", corpus.name, data, command=command))
    return [replace(ablation_table(record, reported.TABLE_5), command=command)]


def _mesm(arguments: argparse.Namespace, plan: Plan) -> Any:
    from mesm.analysis.predictor import load
    from mesm.analysis.reproduce import trained
    from mesm.cli.train import Bar

    return load(arguments.checkpoint) if arguments.checkpoint else trained(plan, "MESM", 0, Bar())


def _case(arguments: argparse.Namespace, plan: Plan, records: Path) -> list[Exhibit]:
    from dataclasses import replace

    from mesm.analysis.origin import clip_origin
    from mesm.data.ingest.closeups import with_closeups
    from mesm.figures.exhibits.case import case
    from mesm.figures.mosaic import Look, fit_strip
    from mesm.figures.privacy import default_privacy

    predictor, corpus = _mesm(arguments, plan), plan.corpus
    found = arguments.clip or _first_right(predictor, plan)
    sample = with_closeups(corpus[found], corpus.media_path(found))
    prediction = predictor.run(predictor.prepare(sample), 0.6)
    origin = clip_origin(predictor, corpus.name, str(corpus.manifest.meta.get("licence", "")))
    # Figure 3 shows the face; Figure 4 the voice, of which only the highest tenth is drawn.
    look = Look("points", loudest_only=arguments.what == "figure4")
    made = case(sample, prediction, fit_strip(sample.duration_s), look, origin, default_privacy(origin["licence"]))
    return [replace(made, name=f"{arguments.what}-{made.name}", command=f"{_command(arguments, plan)} --clip {found}")]


def _first_right(predictor: Any, plan: Plan) -> str:
    """The first clip with one emotion, which alone is decided; else the first of the split."""
    ids = plan.corpus.ids(plan.split)
    for clip_id in ids[:64]:
        present = plan.corpus.row(clip_id).present
        if len(present) == 1:
            decided = predictor.run(predictor.prepare(plan.corpus[clip_id]), 0.6, trace=False).decided
            if decided == present:
                return clip_id
    return ids[0]


def _sweep(arguments: argparse.Namespace, plan: Plan, records: Path) -> list[Exhibit]:
    from dataclasses import replace

    from mesm.analysis import reported
    from mesm.analysis.evaluation import evaluate
    from mesm.analysis.reproduce import trained
    from mesm.analysis.sweep import parse_range, sweep
    from mesm.cli.train import Bar
    from mesm.figures.exhibits.sweep import frontier
    from mesm.figures.frontier import View, dense_by_corpus
    from mesm.records import read_record, write_record

    command, corpus = _command(arguments, plan), plan.corpus
    sparse, dense = _mesm(arguments, plan), trained(plan, "FE2E", 0, Bar())

    def record(kind: str, predictor: Any, data: dict[str, Any]) -> dict[str, Any]:
        sha256 = predictor.sha256
        path = write_record(records, kind, predictor.name, corpus.name, data, checkpoint_sha256=sha256, command=command)
        return read_record(path)

    curve = record("sweep", sparse, sweep(sparse, corpus, parse_range("0.1:1.0:0.1"), against=dense, split=plan.split))
    reference = dense_by_corpus([record("evaluate", dense, evaluate(dense, corpus, plan.split))])
    shares = reported.figure_5_shares()
    made = [frontier([curve], View(m, relative=True), reference, shares) for m in ("accuracy", "wacc", "f1")]
    return [replace(e, name=f"figure5-{e.name}", command=command) for e in made]


#: What -> its exhibits.
WHAT: dict[str, Callable[[argparse.Namespace, Any, Path], list[Exhibit]]] = {
    "table1": _splits,
    "table2": _splits,
    "table3": _scores,
    "table4": _scores,
    "table5": _ablation,
    "figure3": _case,
    "figure4": _case,
    "figure5": _sweep,
}

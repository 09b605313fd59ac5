"""`mesm reproduce`: a table or figure of the paper on a corpus, by one command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesm.figures.export import FigureExport
    from mesm.studies.reproduction.table_jobs import Found, Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm reproduce`."""
    parser.epilog = (
        "Loads what is there (given, shipped with this very corpus, or trained by an earlier call), trains the rest (an\n"
        "interrupted run goes on), evaluates by the paper's protocol, and writes records, CSV, LaTeX and PDF after every\n"
        "line: our numbers beside the reported ones, the trivial answers, what was loaded, and what was not run.\n"
        "IEMOCAP and CMU-MOSEI use the paper's settings (and need ALBERT within reach), any other corpus the small ones,\n"
        "whose MESM starts from FE2E.\n"
        "examples:\n"
        "  mesm reproduce table4 --corpus corpora/marionette\n"
        "  mesm reproduce table3 --corpus corpora/iemocap --models mult fe2e mesm --seeds 3\n"
        "  mesm reproduce table4 --corpus corpora/marionette --checkpoint mesm=runs/mesm/checkpoint\n"
        "  mesm reproduce figure5 --corpus corpora/marionette"
    )
    parser.add_argument("what", choices=sorted(WHAT), help="table1 to table5, figure3 to figure5")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus with train, valid and test")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1); a line is then their mean")
    parser.add_argument(
        "--models", nargs="+", default=[], help="lines of table 3 or 4, such as mult mesm; default: all"
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=CKPT",
        help="this name or folder instead of one that ships or is trained; repeat it for every seed",
    )
    parser.add_argument("--retrain", action="store_true", help="train also what ships")
    parser.add_argument("--epochs", type=int, default=0, help="of every training; default: the presets'")
    parser.add_argument("--clips", type=int, default=0, help="of the training split; default: all")
    parser.add_argument("--clip", help="figures 3 and 4: id of the clip; default: the first that is scored right")
    parser.add_argument("--runs", help="folder of the runs; default: the workspace's reproduce/CORPUS/runs")
    parser.add_argument("--records", help="folder of the records; default: the workspace's records/")
    parser.add_argument("--out", help="folder of the files; default: the workspace's reproduce/CORPUS")
    parser.add_argument("--width", default="acl-text", help="of the pictures, as in mesm figure (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce and print where the files are, also when stopped half way."""
    from mesm.data.corpora import open_corpus
    from mesm.figures.export import files_of
    from mesm.files import slug, write_atomic
    from mesm.runtime import workspace
    from mesm.studies.reproduction.table_jobs import Plan

    corpus = open_corpus(arguments.corpus)
    home = workspace() / "reproduce" / slug(corpus.name)
    out = Path(arguments.out) if arguments.out else home
    plan = Plan(
        corpus,
        Path(arguments.runs) if arguments.runs else home / "runs",
        tuple(range(max(1, arguments.seeds))),
        arguments.epochs,
        arguments.clips,
        given=_given(arguments.checkpoint),
        shipped=not arguments.retrain,
    )
    records = Path(arguments.records) if arguments.records else workspace() / "records"
    written: dict[Path, None] = {}
    try:
        for exhibit in WHAT[arguments.what](arguments, plan, records):
            forms = [form for form in ("pdf", "tex", "csv") if form in exhibit.formats]
            for name, content in files_of(exhibit, forms, arguments.width).items():
                written[write_atomic(out / name, content)] = None
    finally:
        for path in written:
            print(path)
    return 0


def _given(options: list[str]) -> dict[str, list[str]]:
    """Model -> checkpoints, from MODEL=CKPT; a checkpoint alone is a MESM."""
    from mesm.studies.reproduction.table_jobs import choose_models

    found: dict[str, list[str]] = {}
    for option in options:
        model, equals, checkpoint = option.partition("=")
        (name,) = choose_models([model if equals else "mesm"])
        found.setdefault(name, []).append(checkpoint if equals else option)
    return found


def _command(arguments: argparse.Namespace, plan: Plan) -> str:
    """Without folders, which belong to this machine."""
    options = [f"--seeds {len(plan.seeds)}"]
    options += [f"--models {' '.join(arguments.models)}"] if arguments.models else []
    options += [f"--checkpoint {model}={Path(name).name}" for model, names in plan.given.items() for name in names]
    options += [f"--{k} {getattr(arguments, k)}" for k in ("epochs", "clips") if getattr(arguments, k)]
    options += ["--retrain"] if arguments.retrain else []
    return " ".join([f"mesm reproduce {arguments.what} --corpus {plan.corpus.name}", *options])


def _splits(arguments: argparse.Namespace, plan: Plan, records: Path) -> list[FigureExport]:
    from mesm.studies.evaluation.breakdown import split_counts
    from mesm.studies.evaluation.exports import splits_table
    from mesm.studies.reproduction import reported

    number, corpus = int(arguments.what[-1]), plan.corpus
    return [splits_table(corpus.name, split_counts(corpus.index, corpus.labels), number, reported.split_counts(number))]


def _scores(arguments: argparse.Namespace, plan: Plan, records: Path) -> Iterator[FigureExport]:
    """Table 3 or 4 and the sizes of its models, again after every line."""
    from dataclasses import replace

    from mesm.cli.train import Bar
    from mesm.errors import DataError, MesmError
    from mesm.records.legacy import read_record, write_record
    from mesm.studies.evaluation.exports import scores_table
    from mesm.studies.reproduction import reported
    from mesm.studies.reproduction.exports import models_table, note
    from mesm.studies.reproduction.measure import lines
    from mesm.studies.reproduction.table_jobs import MODELS, choose_models, needs_features

    command, bar, written = _command(arguments, plan), Bar(), []
    models = choose_models(arguments.models)
    missing = {name: "not asked for" for name in MODELS if name not in models}
    missing |= dict.fromkeys(models, "not reached yet")
    number = int(arguments.what[-1])
    if any(needs_features(model) and not plan.there(model, seed) for model in models for seed in plan.seeds):
        _make_features(plan)
    for model, data in lines(plan, models, records, bar, bar.clips):
        if isinstance(data, MesmError):
            missing[model] = str(data)
            continue
        del missing[model]
        path = write_record(records, "reproduce", model, plan.corpus.name, data, command=command)
        written.append(read_record(path))
        bar.tqdm.write(f"{model}: Acc {data['accuracy']:.1f}, WAcc {data['wacc']:.1f}, F1 {data['f1']:.1f}")
        table = scores_table(written, number, *reported.rows_for(number))
        yield replace(table, command=command, caption=f"{table.caption} {note(written, missing)}")
        yield replace(models_table(written), command=command)
    for model, why in missing.items():
        print(f"not run: {model}: {why}")
    if not written:
        raise DataError(f"no line of {arguments.what} could be made; the reasons are above")


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


def _ablation(arguments: argparse.Namespace, plan: Plan, records: Path) -> Iterator[FigureExport]:
    """Table 5; FE2E on all modalities is the one that ships, where that is what would be trained."""
    from dataclasses import replace

    from mesm.cli.train import Bar
    from mesm.presets import preset
    from mesm.records.legacy import read_record, write_record
    from mesm.studies.ablation.measure import Setting, ablate
    from mesm.studies.evaluation.exports import ablation_table
    from mesm.studies.reproduction import reported
    from mesm.studies.reproduction.table_jobs import family

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
    there = {("fe2e-TAV", seed): plan.there("FE2E", seed) for seed in plan.seeds}
    command, bar = _command(arguments, plan), Bar()

    def write(data: dict[str, Any]) -> Path:
        return write_record(records, "ablation", "", corpus.name, data, command=command)

    data = ablate(
        setting,
        plan.folder / "ablation",
        ["FE2E, modalities", "MESM, modalities"],
        plan.seeds,
        given={row: path for row, path in there.items() if path},
        report=bar,
        done=lambda _, data: bar.tqdm.write(str(write(data))),
    )
    yield replace(ablation_table(read_record(write(data)), reported.TABLE_5), command=command)


def _obtain(plan: Plan, model: str) -> Found:
    from mesm.cli.train import Bar
    from mesm.studies.reproduction.table_jobs import obtain

    found = obtain(plan, model, plan.seeds[0], Bar())
    print(f"{model}: {found.predictor.name}, {found.origin}")
    return found


def _case(arguments: argparse.Namespace, plan: Plan, records: Path) -> list[FigureExport]:
    from dataclasses import replace

    from mesm.analysis.provenance import clip_origin
    from mesm.data.ingest.closeups import with_closeups
    from mesm.figures.privacy import default_privacy
    from mesm.records.base import CorpusId
    from mesm.studies.case.exports import export_case
    from mesm.studies.case.mosaic import MosaicStyle, fit_window

    predictor, corpus = _obtain(plan, "MESM").predictor, plan.corpus
    found = arguments.clip or _first_right(predictor, plan)
    sample = with_closeups(corpus[found], corpus.media_path(found))
    prediction = predictor.run(predictor.prepare(sample), 0.6)
    origin = clip_origin(predictor, CorpusId(corpus.name, corpus.digest), str(corpus.manifest.meta.get("licence", "")))
    # Figure 3 shows the face; Figure 4 the voice, of which only the highest tenth is drawn.
    look = MosaicStyle("points", loudest_only=arguments.what == "figure4")
    privacy = default_privacy(str(origin["licence"]))
    made = export_case(sample, prediction, fit_window(sample.duration_s), look, origin, privacy)
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


def _sweep(arguments: argparse.Namespace, plan: Plan, records: Path) -> Iterator[FigureExport]:
    """Figure 5; a sweep of these weights on these clips that is there already is drawn."""
    from dataclasses import replace

    from mesm.cli.train import Bar
    from mesm.studies.reproduction import reported
    from mesm.studies.reproduction.measure import figure_5_sweep
    from mesm.studies.sweep.chart_data import SweepView
    from mesm.studies.sweep.exports import sweep_export

    command = _command(arguments, plan)
    sparse, dense = _obtain(plan, "MESM").predictor, _obtain(plan, "FE2E").predictor
    record = figure_5_sweep(sparse, dense, plan, records, command, Bar().clips)
    for metric in ("accuracy", "wacc", "f1"):
        made = sweep_export([record], SweepView(metric, relative=True), (), reported.figure_5_shares())
        yield replace(made, name=f"figure5-{made.name}", command=command)


#: What -> its exhibits.
WHAT: dict[str, Callable[[argparse.Namespace, Any, Path], Iterable[FigureExport]]] = {
    "table1": _splits,
    "table2": _splits,
    "table3": _scores,
    "table4": _scores,
    "table5": _ablation,
    "figure3": _case,
    "figure4": _case,
    "figure5": _sweep,
}

"""`mesm reproduce`: reproduce a table or figure of the paper on a corpus."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, TypeAlias

from mesm.cli import measuring
from mesm.cli.train import Bar
from mesm.vocabulary import SIZES

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor
    from mesm.figures.export import FigureExport
    from mesm.json_form import Json
    from mesm.studies.reproduction.table_jobs import ResolvedCheckpoint, TableJob


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm reproduce`."""
    parser.epilog = (
        "Loads existing checkpoints (given, shipped with this very corpus, or trained by an earlier call), trains the rest (an\n"
        "interrupted run is resumed), evaluates by the paper's protocol, and writes records, CSV, LaTeX and PDF after every\n"
        "row: measured numbers, reported numbers, trivial answers, which checkpoints were loaded, which rows are missing.\n"
        "FE2E and MESM are the first and the last stage of the recipe mesm, as in mesm train; --recipe paper has the paper's\n"
        "settings, --size paper its width and text encoder (ALBERT within reach). The stages are printed.\n"
        "examples:\n"
        "  mesm reproduce table4 --corpus corpora/marionette\n"
        "  mesm reproduce table3 --corpus corpora/iemocap --recipe paper --size paper --models mult fe2e mesm --seeds 3\n"
        "  mesm reproduce table4 --corpus corpora/marionette --checkpoint mesm=runs/mesm/checkpoint\n"
        "  mesm reproduce figure5 --corpus corpora/marionette"
    )
    parser.add_argument("what", choices=sorted(TARGETS), help="table1 to table5, figure3 to figure5")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus with train, valid and test")
    parser.add_argument("--recipe", choices=("mesm", "paper"), default="mesm", help="of FE2E and MESM (default: mesm)")
    parser.add_argument("--size", choices=SIZES, default="small", help="of all models (default: small)")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds (default: 1); a row is their mean")
    parser.add_argument("--models", nargs="+", default=[], help="rows of table 3 or 4, such as mult mesm; default: all")
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=CKPT",
        help="checkpoint of a model, instead of one that ships or is trained; repeatable, one per seed",
    )
    parser.add_argument("--retrain", action="store_true", help="train also the models that ship")
    parser.add_argument("--epochs", type=int, default=0, help="epochs of each training; default: the recipe's")
    parser.add_argument("--clips", type=int, default=0, help="training clips; default: all")
    parser.add_argument("--clip", help="figure 4: id of the clip; default: the first that is scored right")
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="EMOTION=CLIP[:SECOND]",
        help="figure 3: show this clip; default: one per emotion that is scored right",
    )
    parser.add_argument("--runs", help="folder of the runs; default: the workspace's reproduce/CORPUS/runs")
    parser.add_argument("--records", help="folder of the records; default: the workspace's records/")
    parser.add_argument("--out", help="folder of the files; default: the workspace's reproduce/CORPUS")
    parser.add_argument(
        "--width", default="acl-text", help="width of the pictures, as in mesm figure (default: %(default)s)"
    )
    parser.add_argument("--font", default="sans", help="sans (default), serif or document, as in mesm figure")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce and print where the files are, also when stopped half way."""
    from mesm.data.corpora import open_corpus
    from mesm.figures.export import files_of
    from mesm.files import slug, write_atomic
    from mesm.runtime import workspace
    from mesm.studies.reproduction.table_jobs import TableJob

    corpus = open_corpus(arguments.corpus)
    home = workspace() / "reproduce" / slug(corpus.name)
    out = Path(arguments.out) if arguments.out else home
    job = TableJob(
        corpus,
        Path(arguments.runs) if arguments.runs else home / "runs",
        tuple(range(max(1, arguments.seeds))),
        arguments.epochs,
        arguments.clips,
        arguments.recipe,
        arguments.size,
        # Section 5.3: the paper's p for IEMOCAP, of which its Table 3 is.
        0.7 if arguments.recipe == "paper" and arguments.what == "table3" else 0.5,
        checkpoints=_checkpoints(arguments.checkpoint),
        shipped=not arguments.retrain,
    )
    written: dict[Path, None] = {}
    try:
        for exhibit in TARGETS[arguments.what](arguments, job, measuring.records_folder(arguments.records)):
            forms = [form for form in ("pdf", "tex", "csv") if form in exhibit.formats]
            exhibit = replace(exhibit, font=arguments.font)
            for name, content in files_of(exhibit, forms, arguments.width).items():
                written[write_atomic(out / name, content)] = None
    finally:
        for path in written:
            print(path)
    return 0


def _checkpoints(options: list[str]) -> dict[str, list[str]]:
    """Return model -> checkpoints, from MODEL=CKPT; a checkpoint alone is a MESM."""
    from mesm.studies.reproduction.table_jobs import choose_models

    checkpoints: dict[str, list[str]] = {}
    for option in options:
        model, equals, checkpoint = option.partition("=")
        (name,) = choose_models([model if equals else "mesm"])
        checkpoints.setdefault(name, []).append(checkpoint if equals else option)
    return checkpoints


def _command(arguments: argparse.Namespace, job: TableJob) -> str:
    """Return the command without folders of runs and files, which belong to this machine."""
    options = [f"--seeds {len(job.seeds)}"]
    options += [f"--models {' '.join(map(quote, arguments.models))}"] if arguments.models else []
    options += [
        f"--checkpoint {quote(f'{model}={Path(n).name}')}" for model, names in job.checkpoints.items() for n in names
    ]
    options += [f"--{k} {getattr(arguments, k)}" for k in ("epochs", "clips") if getattr(arguments, k)]
    defaults = {"recipe": "mesm", "size": "small"}
    options += [f"--{k} {v}" for k in defaults if (v := getattr(arguments, k)) != defaults[k]]
    options += [f"--pin {quote(pin)}" for pin in arguments.pin]
    options += ["--retrain"] if arguments.retrain else []
    corpus = quote(measuring.corpus_argument(job.corpus, arguments.corpus))
    return " ".join([f"mesm reproduce {arguments.what} --corpus {corpus}", *options])


def _splits(arguments: argparse.Namespace, job: TableJob, records: Path) -> list[FigureExport]:
    from mesm.studies.evaluation.breakdown import split_counts
    from mesm.studies.reproduction.exports import splits_export

    counts = split_counts(job.corpus.index, job.corpus.labels)
    return [splits_export(job.corpus.id, counts, int(arguments.what[-1]))]


def _scores(arguments: argparse.Namespace, job: TableJob, records: Path) -> Iterator[FigureExport]:
    """Yield Table 3 or 4 and the sizes of its models, again after every row."""
    from mesm.errors import DataError, MesmError
    from mesm.estimate import Estimate
    from mesm.records.base import Record, new_provenance, write_record
    from mesm.studies.evaluation.tables import undefined_in
    from mesm.studies.reproduction.exports import models_export, origin_note, scores_export
    from mesm.studies.reproduction.measure import table_rows
    from mesm.studies.reproduction.table_jobs import MODELS, choose_models, needs_features

    command, bar, rows = _command(arguments, job), Bar(), []
    models = choose_models(arguments.models)
    missing = {name: "not among --models" for name in MODELS if name not in models}
    missing |= dict.fromkeys(models, "not reached yet")
    print("\n".join(job.plan.lines()))
    if any(
        needs_features(model) and not job.existing_checkpoint(model, seed) for model in models for seed in job.seeds
    ):
        _extract_features(job)
    for model, row in table_rows(job, models, records, bar, bar.clips):
        if isinstance(row, MesmError):
            missing[model] = str(row)
            continue
        del missing[model]
        digests = [checkpoint.sha256 for checkpoint in row.checkpoints]
        record = Record("reproduce", new_provenance(job.corpus.id, model, digests, command), row)
        write_record(records, record)
        rows.append(record)
        accuracy, wacc, f1 = (Estimate(v).words(1) for v in (row.average.accuracy, row.average.wacc, row.average.f1))
        bar.tqdm.write("\n".join((f"{model}: Acc {accuracy}, WAcc {wacc}, F1 {f1}", *undefined_in(row))))
        table = scores_export(rows, int(arguments.what[-1]))
        yield replace(table, command=command, caption=f"{table.caption} {origin_note(rows, missing)}")
        yield replace(models_export(rows), command=command)
    for model, reason in missing.items():
        print(f"not run: {model}: {reason}")
    if not rows:
        raise DataError(f"no row of {arguments.what} could be made; the reasons are above")


def _extract_features(job: TableJob) -> None:
    """Extract the built-in features that the corpus lacks; print why where they cannot be made."""
    from mesm.cli.features import extract
    from mesm.data.features.store import feature_folder
    from mesm.errors import DataError
    from mesm.studies.reproduction.measure import missing_features

    for modality in missing_features(job.corpus):
        try:
            extract(job.corpus, feature_folder(job.corpus), [modality])
        except DataError as error:
            print(f"no {modality} features: {error}")


def _modalities(arguments: argparse.Namespace, job: TableJob, records: Path) -> Iterator[FigureExport]:
    """Yield Table 5; FE2E on all modalities is the shipped one, where that is what would be trained."""
    from mesm.records.ablation import Ablation, AblationSetup
    from mesm.records.base import Record, new_provenance, write_record
    from mesm.studies.ablation.measure import ablate
    from mesm.studies.reproduction.exports import modalities_export

    corpus = job.corpus
    print("\n".join(job.plan.lines()))
    base = job.plan.stages[0].run
    epochs = job.epochs or base.train.epochs
    setup = AblationSetup(str(corpus.folder), "", base.model.width, job.clips, epochs, job.split, size=job.size)
    existing = {("fe2e-TAV", seed): job.existing_checkpoint("FE2E", seed) for seed in job.seeds}
    command, bar = _command(arguments, job), Bar()

    def record(data: Ablation) -> Record[Ablation]:
        return Record("ablation", new_provenance(corpus.id, command=command), data)

    data = ablate(
        setup,
        job.folder / "ablation",
        ["FE2E, modalities", "MESM, modalities"],
        job.seeds,
        checkpoints={row: path for row, path in existing.items() if path},
        report=bar,
        done=lambda _, data: bar.tqdm.write(str(write_record(records, record(data)))),
    )
    write_record(records, record(data))
    yield replace(modalities_export(record(data)), command=command)


def _resolve(job: TableJob, model: str) -> ResolvedCheckpoint:
    from mesm.studies.reproduction.table_jobs import resolve_checkpoint

    resolved = resolve_checkpoint(job, model, job.seeds[0], Bar())
    print(f"{model}: {resolved.predictor.name}, {resolved.origin}")
    return resolved


def _six(arguments: argparse.Namespace, job: TableJob, records: Path) -> list[FigureExport]:
    """Return Figure 3."""
    from mesm.figures.privacy import default_privacy
    from mesm.studies.case.paper_exports import SixChoice, export_six
    from mesm.studies.case.six import CASE_TOP_P, choose_six, parse_pins

    predictor, corpus = _resolve(job, "MESM").predictor, job.corpus
    choice = SixChoice(CASE_TOP_P, pins=parse_pins(arguments.pin, predictor.labels))
    faces = choose_six(predictor, corpus, top_p=CASE_TOP_P, pins=choice.pins)
    privacy = default_privacy(str(corpus.manifest.meta.get("licence", "")))
    made = export_six(faces, choice, _origin(predictor, arguments, job), privacy, predictor.labels)
    return [replace(made, name=f"figure3-{made.name}", command=_command(arguments, job))]


def _mel(arguments: argparse.Namespace, job: TableJob, records: Path) -> list[FigureExport]:
    """Return Figure 4."""
    from mesm.studies.case.exports import clip_option
    from mesm.studies.case.paper_exports import export_mel
    from mesm.studies.case.six import CASE_TOP_P
    from mesm.studies.reproduction.measure import first_right_clip

    predictor, corpus = _resolve(job, "MESM").predictor, job.corpus
    clip_id = arguments.clip or first_right_clip(predictor, corpus, job.split)
    sample = corpus[clip_id]
    prediction = predictor.run(predictor.prepare(sample), CASE_TOP_P)
    made = export_mel(sample, prediction, _origin(predictor, arguments, job))
    command = f"{_command(arguments, job)} {clip_option(clip_id)}"
    return [replace(made, name=f"figure4-{made.name}", command=command)]


def _origin(predictor: Predictor, arguments: argparse.Namespace, job: TableJob) -> dict[str, Json]:
    from mesm.analysis.provenance import clip_origin

    corpus = job.corpus
    licence = str(corpus.manifest.meta.get("licence", ""))
    return clip_origin(predictor, corpus.id, licence, measuring.corpus_argument(corpus, arguments.corpus))


def _sweep(arguments: argparse.Namespace, job: TableJob, records: Path) -> Iterator[FigureExport]:
    """Yield Figure 5 for each metric; a recorded sweep of these weights on these clips is drawn."""
    from mesm.studies.reproduction import reported
    from mesm.studies.reproduction.measure import figure_5_sweep
    from mesm.studies.sweep.figure_5 import figure_5_export

    command = _command(arguments, job)
    print("\n".join(job.plan.lines()))
    sparse, dense = _resolve(job, "MESM").predictor, _resolve(job, "FE2E").predictor
    record = figure_5_sweep(sparse, dense, job, records, command, Bar().clips)
    for metric in ("accuracy", "wacc", "f1"):
        made = figure_5_export(record, metric, (), reported.FIGURE_5)
        yield replace(made, name=f"figure5-{made.name}", command=command)


#: Makes the exports of one table or figure; gets the options, the job and the folder of the records.
Maker: TypeAlias = "Callable[[argparse.Namespace, TableJob, Path], Iterable[FigureExport]]"
#: Table or figure of the paper -> its exports.
TARGETS: dict[str, Maker] = {
    "table1": _splits,
    "table2": _splits,
    "table3": _scores,
    "table4": _scores,
    "table5": _modalities,
    "figure3": _six,
    "figure4": _mel,
    "figure5": _sweep,
}

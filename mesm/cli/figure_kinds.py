"""Make the figures and tables that are drawn from records, runs or a corpus. Imported when a figure is made only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any, TypeAlias

from mesm.cli.measuring import find_record, find_records, target_parts
from mesm.config import RunConfig
from mesm.errors import CheckpointError, ConfigError, DataError
from mesm.figures.export import FigureExport
from mesm.json_form import members, read_json
from mesm.records.base import Record
from mesm.records.facs import Codebook, FacsStudy
from mesm.records.store import RecordStore, one_per_checkpoint
from mesm.records.training_log import read_log
from mesm.runtime import record_folders, workspace
from mesm.studies.ablation.tables import ablation_export
from mesm.studies.evaluation import chart_data as evaluation_charts
from mesm.studies.evaluation import exports as evaluation
from mesm.studies.evaluation.breakdown import scored_clips, slices, split_counts
from mesm.studies.facs import exports as facs
from mesm.studies.facs.chart_data import AGAINST, KIND_WORDS, view_words
from mesm.studies.facs.codebooks import codebook
from mesm.studies.facs.statements import statements
from mesm.studies.faithfulness.exports import faithfulness_export
from mesm.studies.guidance.tables import guidance_export
from mesm.studies.learning.chart_data import TrainingRun, run_number
from mesm.studies.learning.exports import learning_export, runs_export
from mesm.studies.reproduction import exports as reproduction
from mesm.studies.reproduction.reported import FIGURE_5, figure_5_shares
from mesm.studies.reproduction.tables import scored_models
from mesm.studies.sweep import exports as sweep
from mesm.studies.sweep.chart_data import SweepView, with_evaluations, with_times
from mesm.studies.sweep.figure_5 import figure_5_export

Maker: TypeAlias = Callable[[argparse.Namespace], FigureExport]


def _target(kind: str, arguments: argparse.Namespace) -> Record[Any]:
    return _of_its_checkpoint(find_record(kind, arguments.target))


def _of_its_checkpoint(record: Record[Any]) -> Record[Any]:
    """Return the record with the supervision of its checkpoint, where that is still known by its name."""
    from mesm.analysis.checkpoints import checkpoint_folder, read_facts
    from mesm.analysis.supervision import with_supervision

    try:
        return with_supervision(record, read_facts(checkpoint_folder(record.provenance.checkpoint)))
    except CheckpointError:
        return record


def _of_corpus(kind: str, corpus: str, remedy: str) -> list[Record[Any]]:
    """Return the best record of each checkpoint on a corpus; `DataError` with the remedy where there is none."""
    records = one_per_checkpoint(find_records(kind, corpus))
    if not records:
        raise DataError(f"there is no {kind} record of {corpus}; make one with: {remedy}")
    return records


def _ablation(corpus: str) -> Record[Any]:
    return _of_corpus("ablation", corpus, f"mesm ablate --corpus {quote(corpus)} --out FOLDER")[0]


def _sweep(arguments: argparse.Namespace) -> FigureExport:
    view = SweepView(arguments.metric, arguments.axis, arguments.relative, arguments.log)
    store = RecordStore(record_folders())
    evaluations, timings = store.find("evaluate"), store.find("time")
    records = [
        with_times(with_evaluations(find_record("sweep", target), evaluations), timings) for target in arguments.targets
    ]
    return sweep.sweep_export(records, view, evaluations, figure_5_shares())


def _top_p(arguments: argparse.Namespace) -> FigureExport:
    record = _target("sweep", arguments)
    return figure_5_export(record, arguments.metric, RecordStore(record_folders()).find("evaluate"), FIGURE_5)


def _architecture(arguments: argparse.Namespace) -> FigureExport:
    from mesm.analysis.checkpoints import checkpoint_folder, read_facts
    from mesm.analysis.provenance import clip_origin
    from mesm.studies.architecture.paper import architecture

    facts = read_facts(checkpoint_folder(arguments.checkpoint))
    return architecture(facts.config, clip_origin(facts))


def _table(arguments: argparse.Namespace) -> FigureExport:
    """Export Table 1 to 5 of the paper."""
    from mesm.data.corpora import open_corpus

    number, name = arguments.number, arguments.corpus
    if number == 5 and not name:
        return reproduction.reported_modalities_export()
    if not name:
        raise ConfigError(f"table {number} needs --corpus NAME")
    if number == 5:
        return reproduction.modalities_export(_ablation(name))
    if number in (1, 2):
        corpus = open_corpus(name)
        return reproduction.splits_export(corpus.id, split_counts(corpus.index, corpus.labels), number)
    records = _of_corpus("evaluate", name, f"mesm evaluate CHECKPOINT --corpus {quote(name)}")
    several = (one_per_checkpoint(find_records(kind, name)) for kind in ("seeds", "reproduce"))
    return reproduction.scores_export(scored_models(records, *several), number)


def _models(arguments: argparse.Namespace) -> FigureExport:
    lines = _of_corpus("reproduce", arguments.corpus, f"mesm reproduce table4 --corpus {quote(arguments.corpus)}")
    timings = find_records("time", arguments.corpus)
    sweeps = [with_times(record, timings) for record in find_records("sweep", arguments.corpus)]
    return reproduction.models_export(lines, sweeps)


def _run_folders(arguments: argparse.Namespace) -> list[Path]:
    """Return the folders as given, or runs of the workspace by name."""
    return [Path(run) if Path(run).is_dir() else workspace() / "runs" / run for run in arguments.runs]


def _training_run(folder: Path) -> TrainingRun:
    return TrainingRun(folder.name, run_number(folder), tuple(read_log(folder)))


def _learning(arguments: argparse.Namespace) -> FigureExport:
    runs = [_training_run(folder) for folder in _run_folders(arguments)]
    for run in runs:
        if not run.epochs:
            raise DataError(f"run {run.name!r} has no epoch yet (no metrics.jsonl); give a folder of mesm train")
    return learning_export(runs)


def _runs(arguments: argparse.Namespace) -> FigureExport:
    runs = []
    for folder in _run_folders(arguments):
        try:
            config = RunConfig.from_dict(members(read_json(folder / "config.json")))
        except (ConfigError, DataError) as error:
            raise DataError(f"run {folder.name!r} has no readable config.json; give a folder of mesm train") from error
        runs.append((_training_run(folder), config))
    return runs_export(runs)


def _slices(arguments: argparse.Namespace) -> FigureExport:
    from mesm.data.corpora import open_corpus

    record, corpus = _target("evaluate", arguments), open_corpus(target_parts(arguments.target)[1])
    rows = {row.clip_id: row for row in corpus.index}
    return evaluation.slices_export(record, slices(scored_clips(record.data), rows))


def _matrix(arguments: argparse.Namespace) -> FigureExport:
    record = _target("evaluate", arguments)
    make = {"confusion": evaluation_charts.confusion_chart, "cooccurrence": evaluation_charts.cooccurrence_chart}
    return evaluation.matrix_export(record, make[arguments.figure](record.data))


def _reliability(arguments: argparse.Namespace) -> FigureExport:
    record = _target("evaluate", arguments)
    chart = evaluation_charts.reliability_chart(record.data, arguments.emotion)
    return evaluation.reliability_export(record, chart)


def _facs(arguments: argparse.Namespace) -> FigureExport:
    record, book = _facs_parts(arguments)
    _check_layer(arguments.layer, record.data.layers)
    if arguments.against not in AGAINST:
        raise ConfigError(f"--against {arguments.against!r} must be one of {', '.join(AGAINST)}")
    return facs.heat_map_export(record, book, arguments.layer - 1, arguments.map, arguments.of, arguments.against)


def _check_layer(layer: int, layers: int) -> None:
    if layer > layers:
        raise ConfigError(f"--layer {layer} must be at most {layers}, the record's layers")


def _baselines(arguments: argparse.Namespace) -> FigureExport:
    return facs.baselines_export(*_facs_parts(arguments), arguments.map, arguments.of)


def _facs_parts(arguments: argparse.Namespace) -> tuple[Record[FacsStudy], Codebook]:
    """Return the record and the codebook, if the record has the map."""
    record = _target("facs", arguments)
    book = codebook(arguments.codebook or record.data.codebook)
    if arguments.map not in record.data.maps or arguments.of not in KIND_WORDS:
        raise ConfigError(
            f"--map {arguments.map!r} must be one of {', '.join(record.data.maps)}; --of one of {', '.join(KIND_WORDS)}"
        )
    return record, book


def _faces(arguments: argparse.Namespace) -> FigureExport:
    record = _target("canonical", arguments)
    views = view_words(record.data)
    if arguments.view not in views:
        raise ConfigError(f"--view {arguments.view!r} must be one of {', '.join(views)}")
    if arguments.layer is not None:
        _check_layer(arguments.layer, record.data.layers)
    return facs.faces_export(record, arguments.view, None if arguments.layer is None else arguments.layer - 1)


def _faithfulness(arguments: argparse.Namespace) -> FigureExport:
    if arguments.what == "targets":
        return facs.targets_export(_target("facs", arguments))
    return faithfulness_export(_target("faithfulness", arguments), arguments.what)


def _statements(arguments: argparse.Namespace) -> FigureExport:
    study = _target("facs", arguments)
    try:
        tests = [_target("faithfulness", arguments)]
    except DataError:
        tests = []
    rows = statements(study.data, tests[0].data if tests else None)
    return facs.statements_export([study, *tests], rows, study.data.layers)


#: Kind (a key of `mesm.cli.figure.KINDS`) -> its maker.
MAKERS: dict[str, Maker] = {
    "architecture": _architecture,
    "sweep": _sweep,
    "topp": _top_p,
    "work": lambda arguments: sweep.layers_export(_target("sweep", arguments), arguments.axis),
    "spread": lambda arguments: sweep.clip_cost_export(_target("sweep", arguments)),
    "facs": _facs,
    "baselines": _baselines,
    "faces": _faces,
    "controls": lambda arguments: facs.controls_export(_target("facs", arguments), arguments.what),
    "statements": _statements,
    "faithfulness": _faithfulness,
    "table": _table,
    "models": _models,
    "ablation": lambda arguments: ablation_export(_ablation(arguments.corpus)),
    "guidance": lambda arguments: guidance_export(
        _of_corpus("guidance", arguments.corpus, "python -m benchmarks.guidance --record FOLDER")[0]
    ),
    "learning": _learning,
    "runs": _runs,
    "classes": lambda arguments: evaluation.classes_export(_target("evaluate", arguments)),
    "slices": _slices,
    "confusion": _matrix,
    "cooccurrence": _matrix,
    "reliability": _reliability,
}

"""Export the figures of `mesm figure KIND`: each function reads records or runs a model, and returns an export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesm.cli import measuring
from mesm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mesm.figures.export import FigureExport
    from mesm.records.ablation import Ablation
    from mesm.records.base import Record as TypedRecord
    from mesm.studies.learning.chart_data import TrainingRun

Record = dict[str, Any]


def sweep_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build scores over cost, a point per top-p."""
    from mesm.records.store import RecordStore
    from mesm.studies.reproduction.reported import figure_5_shares
    from mesm.studies.sweep.chart_data import SweepView
    from mesm.studies.sweep.exports import sweep_export

    view = SweepView(arguments.metric, arguments.axis, arguments.relative, arguments.log)
    records = [find_record("sweep", target) for target in arguments.targets]
    return sweep_export(records, view, RecordStore().find("evaluate"), figure_5_shares())


def work_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build the cost by layer and modality."""
    from mesm.studies.sweep.exports import layers_export

    return layers_export(find_record("sweep", arguments.target), arguments.axis)


def spread_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build the cost of every clip."""
    from mesm.studies.sweep.exports import clip_cost_export

    return clip_cost_export(find_record("sweep", arguments.target))


def architecture_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export the drawing of a model's architecture."""
    from mesm.analysis.checkpoints import checkpoint_folder, read_facts
    from mesm.analysis.provenance import clip_origin
    from mesm.studies.architecture.exports import architecture

    facts = read_facts(checkpoint_folder(arguments.checkpoint))
    return architecture(facts.config, clip_origin(facts))


def table_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export Table 1 to 5 of the paper."""
    from mesm.data.corpora import open_corpus
    from mesm.records.store import one_per_checkpoint
    from mesm.studies.evaluation.breakdown import split_counts
    from mesm.studies.reproduction import exports

    number = arguments.number
    if number == 5 and not arguments.corpus:
        return exports.reported_modalities_export()
    if not arguments.corpus:
        raise ConfigError(f"table {number} needs --corpus NAME")
    if number == 5:
        return exports.modalities_export(_ablation_record(arguments.corpus))
    if number in (1, 2):
        corpus = open_corpus(arguments.corpus)
        return exports.splits_export(corpus.id, split_counts(corpus.index, corpus.labels), number)
    records = one_per_checkpoint(measuring.find_records("evaluate", arguments.corpus))
    if not records:
        raise DataError(
            f"no checkpoint was evaluated on {arguments.corpus}; run: mesm evaluate CHECKPOINT --corpus {arguments.corpus}"
        )
    seeds = one_per_checkpoint(measuring.find_records("seeds", arguments.corpus))
    return exports.scores_export([*records, *seeds], number)


def models_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export size, cost and time of the models of a reproduced table."""
    from mesm.records.store import one_per_checkpoint
    from mesm.studies.reproduction.exports import models_export

    records = one_per_checkpoint(measuring.find_records("reproduce", arguments.corpus))
    if not records:
        raise DataError(f"no table was reproduced on {arguments.corpus}; run: mesm reproduce table4 --corpus ...")
    return models_export(records)


def ablation_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export every row of an ablation."""
    from mesm.studies.ablation.exports import ablation_export

    return ablation_export(_ablation_record(arguments.corpus))


def _ablation_record(corpus: str) -> TypedRecord[Ablation]:
    records = measuring.find_records("ablation", corpus)
    if not records:
        raise DataError(f"there is no ablation of {corpus}; make one with: mesm ablate --corpus {corpus} --out FOLDER")
    return records[0]


def learning_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build learning curves."""
    from mesm.studies.learning.exports import learning_export

    runs = [_training_run(folder) for folder in _run_folders(arguments)]
    for run in runs:
        if not run.epochs:
            raise DataError(f"run {run.name!r} has no epoch yet (no metrics.jsonl); give a folder of mesm train")
    return learning_export(runs)


def runs_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build the table of training runs."""
    import json

    from mesm.config import RunConfig
    from mesm.studies.learning.exports import runs_export

    runs = []
    for folder in _run_folders(arguments):
        try:
            config = RunConfig.from_dict(json.loads((folder / "config.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise DataError(f"run {folder.name!r} has no readable config.json; give a folder of mesm train") from error
        runs.append((_training_run(folder), config))
    return runs_export(runs)


def _training_run(folder: Path) -> TrainingRun:
    from mesm.records.training_log import read_log
    from mesm.studies.learning.chart_data import TrainingRun, creation_number

    return TrainingRun(folder.name, creation_number(folder), tuple(read_log(folder)))


def _run_folders(arguments: argparse.Namespace) -> list[Path]:
    """Return the folders as given, or runs of the workspace by name."""
    from mesm.runtime import workspace

    return [Path(run) if Path(run).is_dir() else workspace() / "runs" / run for run in arguments.runs]


def classes_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export scores per emotion."""
    from mesm.studies.evaluation.exports import classes_export

    return classes_export(find_record("evaluate", arguments.target))


def slices_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export scores of slices of the split."""
    from mesm.data.corpora import open_corpus
    from mesm.studies.evaluation.breakdown import scored_clips, slices
    from mesm.studies.evaluation.exports import slices_export

    record = find_record("evaluate", arguments.target)
    corpus = open_corpus(target_parts(arguments.target)[1])
    return slices_export(record, slices(scored_clips(record.data), {row.clip_id: row for row in corpus.index}))


def confusion_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export the confusion of the highest score."""
    from mesm.studies.evaluation.chart_data import confusion_chart
    from mesm.studies.evaluation.exports import matrix_export

    record = find_record("evaluate", arguments.target)
    return matrix_export(record, confusion_chart(record.data))


def cooccurrence_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export the co-occurrence of emotions."""
    from mesm.studies.evaluation.chart_data import cooccurrence_chart
    from mesm.studies.evaluation.exports import matrix_export

    record = find_record("evaluate", arguments.target)
    return matrix_export(record, cooccurrence_chart(record.data))


def reliability_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Export the reliability of the scores."""
    from mesm.studies.evaluation.chart_data import reliability_chart
    from mesm.studies.evaluation.exports import reliability_export

    record = find_record("evaluate", arguments.target)
    return reliability_export(record, reliability_chart(record.data, arguments.emotion))


def facs_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build the agreement with a codebook."""
    from mesm.studies.facs.chart_data import KIND_WORDS
    from mesm.studies.facs.codebooks import codebook
    from mesm.studies.facs.exports import heat_map_export

    record = find_record("facs", arguments.target)
    book = codebook(arguments.codebook or record.data.codebook)
    if arguments.map not in record.data.maps or arguments.of not in KIND_WORDS:
        raise ConfigError(
            f"--map {arguments.map!r} must be one of {', '.join(record.data.maps)}; --of one of {', '.join(KIND_WORDS)}"
        )
    if arguments.layer > record.data.layers:
        raise ConfigError(f"--layer {arguments.layer} must be at most {record.data.layers}, the record's layers")
    return heat_map_export(record, book, arguments.layer - 1, arguments.map, arguments.of)


def faces_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build the masks on the average face."""
    from mesm.studies.facs.chart_data import view_words
    from mesm.studies.facs.exports import faces_export

    record = find_record("canonical", arguments.target)
    views = view_words(record.data)
    if arguments.view not in views:
        raise ConfigError(f"--view {arguments.view!r} must be one of {', '.join(views)}")
    return faces_export(record, arguments.view)


def controls_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build the comparison with untrained attention."""
    from mesm.studies.facs.exports import controls_export

    return controls_export(find_record("facs", arguments.target), arguments.what)


def faithfulness_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build one table of the faithfulness tests, or the attention's targets."""
    from mesm.studies.facs.exports import targets_export
    from mesm.studies.faithfulness.exports import EXPORTS

    if arguments.what == "targets":
        return targets_export(find_record("facs", arguments.target))
    return EXPORTS[arguments.what](find_record("faithfulness", arguments.target))


def statements_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Build the paper's statements."""
    from mesm.studies.facs.exports import statements_export
    from mesm.studies.facs.statements import statements

    facs = find_record("facs", arguments.target)
    try:
        faithfulness = [find_record("faithfulness", arguments.target)]
    except DataError:
        faithfulness = []
    rows = statements(facs.data, faithfulness[0].data if faithfulness else None)
    return statements_export([facs, *faithfulness], rows, facs.data.layers)


def target_parts(target: str) -> tuple[str, str]:
    """Return the checkpoint and corpus of CHECKPOINT@CORPUS.

    Raises:
        ConfigError: it is not of this form.
    """
    checkpoint, at, corpus = target.partition("@")
    if not at:
        raise ConfigError(f"{target!r} must be CHECKPOINT@CORPUS, such as marionette-mesm@marionette")
    return checkpoint, corpus


def find_record(kind: str, target: str) -> TypedRecord[Any]:
    """Return the best record of CHECKPOINT@CORPUS or CHECKPOINT@CORPUS@DIGEST.

    Without a digest the corpus is the one that `open_corpus` opens by this name, as on the pages of the app.

    Raises:
        DataError: there is none.
    """
    from mesm.data.corpora import find_corpora
    from mesm.data.manifest import Manifest
    from mesm.records.base import CorpusId
    from mesm.records.store import RecordStore

    checkpoint, corpus = target_parts(target)
    name, _, digest = corpus.partition("@")
    store = RecordStore()
    if digest:
        matches = store.find(kind, checkpoint=checkpoint, corpus=CorpusId(name))
        matches = [record for record in matches if record.provenance.corpus.digest.startswith(digest)]
    else:
        folder = find_corpora().get(name)
        known = Manifest.read(folder).digest if folder is not None else ""
        matches = store.find(kind, checkpoint=checkpoint, corpus=CorpusId(name, known))
    if not matches:
        raise DataError(f"there is no {kind} of {target}; make one with: mesm {kind} {checkpoint} --corpus {corpus}")
    return matches[0]


def _record(kind: str, target: str) -> Record:
    """Return the record of a target; the workspace's before a bundled one.

    Raises:
        DataError: there is none.
    """
    checkpoint, corpus = target_parts(target)
    records = _all(kind, checkpoint, corpus)
    if not records:
        raise DataError(f"there is no {kind} of {target}; make one with: mesm {kind} {checkpoint} --corpus {corpus}")
    return records[0]


def _all(kind: str, checkpoint: str = "*", corpus: str = "*") -> list[Record]:
    from mesm.files import slug
    from mesm.records.legacy import find_records, read_record
    from mesm.runtime import record_folders

    records = [read_record(path) for path in find_records(record_folders(), kind, checkpoint, corpus)]
    # A kind that there is for one corpus only does not have it in its file's name.
    return [record for record in records if corpus == "*" or slug(record["provenance"]["corpus"]) == slug(corpus)]

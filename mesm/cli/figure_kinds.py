"""What `mesm figure KIND` makes: each function reads records or runs a model, and hands over an exhibit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mesm.figures.export import FigureExport
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
    """The model in one picture."""
    from mesm.analysis.checkpoints import checkpoint_folder, read_facts
    from mesm.analysis.provenance import clip_origin
    from mesm.studies.architecture.exports import architecture

    facts = read_facts(checkpoint_folder(arguments.checkpoint))
    return architecture(facts.config, clip_origin(facts))


def table_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Table 1 to 5 of the paper."""
    from mesm.data.corpora import open_corpus
    from mesm.studies.evaluation import exports as results
    from mesm.studies.evaluation.breakdown import split_counts
    from mesm.studies.reproduction import reported

    number = arguments.number
    if number == 5:
        found = _all("ablation", corpus=arguments.corpus) if arguments.corpus else []
        if arguments.corpus and not found:
            raise DataError(f"there is no ablation of {arguments.corpus}; make one with: mesm ablate --corpus ...")
        return (
            results.ablation_table(found[0], reported.TABLE_5) if found else results.reported_ablation(reported.TABLE_5)
        )
    if not arguments.corpus:
        raise ConfigError(f"table {number} needs --corpus NAME")
    if number in (1, 2):
        corpus = open_corpus(arguments.corpus)
        counts = split_counts(corpus.index, corpus.labels)
        return results.splits_table(corpus.name, counts, number, reported.split_counts(number))
    records = _all("evaluate", corpus=Path(arguments.corpus).name)
    if not records:
        raise DataError(
            f"no checkpoint was evaluated on {arguments.corpus}; run: mesm evaluate CHECKPOINT --corpus {arguments.corpus}"
        )
    seeds = _all("seeds", corpus=Path(arguments.corpus).name)
    return results.scores_table([*records, *seeds], number, *reported.rows_for(number))


def models_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Size, work and time of the models of a reproduced table."""
    from mesm.studies.reproduction.exports import models_table

    found = _all("reproduce", corpus=arguments.corpus)
    if not found:
        raise DataError(f"nothing was reproduced on {arguments.corpus}; run: mesm reproduce table4 --corpus ...")
    return models_table(found)


def ablation_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Every row of an ablation."""
    from mesm.studies.ablation.exports import ablation

    found = _all("ablation", corpus=arguments.corpus)
    if not found:
        raise DataError(f"there is no ablation of {arguments.corpus}; make one with: mesm ablate --corpus ...")
    return ablation(found[0])


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
    """Scores per emotion."""
    from mesm.studies.evaluation.exports import classes_table

    return classes_table(_record("evaluate", arguments.target))


def slices_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Scores of parts of the split."""
    from mesm.data.corpora import open_corpus
    from mesm.studies.evaluation.breakdown import scored, slices
    from mesm.studies.evaluation.exports import slices_table

    record = _record("evaluate", arguments.target)
    corpus = open_corpus(target_parts(arguments.target)[1])
    return slices_table(record, slices(scored(record["data"]), {row.clip_id: row for row in corpus.index}))


def confusion_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Which score is strongest."""
    from mesm.studies.evaluation.breakdown import confusion, scored
    from mesm.studies.evaluation.exports import matrix

    record = _record("evaluate", arguments.target)
    return matrix(record, "confusion", *confusion(scored(record["data"])))


def cooccurrence_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Which emotions come together."""
    from mesm.studies.evaluation.breakdown import cooccurrence, scored
    from mesm.studies.evaluation.exports import matrix

    record = _record("evaluate", arguments.target)
    found = scored(record["data"])
    pairs = cooccurrence(found.truth_NE), cooccurrence(found.decided_NE)
    return matrix(record, "cooccurrence", found.labels, *pairs)


def reliability_exhibit(arguments: argparse.Namespace) -> FigureExport:
    """Calibration of the scores."""
    from mesm.studies.evaluation.breakdown import reliability, scored
    from mesm.studies.evaluation.exports import calibration

    record = _record("evaluate", arguments.target)
    if arguments.emotion and arguments.emotion not in record["data"]["labels"]:
        raise ConfigError(f"--emotion {arguments.emotion!r} must be one of {', '.join(record['data']['labels'])}")
    return calibration(record, arguments.emotion, reliability(scored(record["data"]), arguments.emotion))


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
    """Checkpoint and corpus of CHECKPOINT@CORPUS.

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
    """The record of a target; of the workspace before a bundled one.

    Raises:
        DataError: there is none.
    """
    checkpoint, corpus = target_parts(target)
    found = _all(kind, checkpoint, corpus)
    if not found:
        raise DataError(f"there is no {kind} of {target}; make one with: mesm {kind} {checkpoint} --corpus {corpus}")
    return found[0]


def _all(kind: str, checkpoint: str = "*", corpus: str = "*") -> list[Record]:
    from mesm.files import slug
    from mesm.records.legacy import find_records, read_record
    from mesm.runtime import record_folders

    records = [read_record(path) for path in find_records(record_folders(), kind, checkpoint, corpus)]
    # A kind that there is for one corpus only does not have it in its file's name.
    return [record for record in records if corpus == "*" or slug(record["provenance"]["corpus"]) == slug(corpus)]

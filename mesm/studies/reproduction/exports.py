"""Build the exports of the paper's tables: each table with its caption, command, provenance and citations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesm.estimate import counted
from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, corpus_export, origin_of
from mesm.json_form import Json
from mesm.records.ablation import Ablation
from mesm.records.base import CorpusId, Record
from mesm.records.evaluation import ScoredModel
from mesm.records.reproduction import ReproducedLine
from mesm.records.sweep import Sweep
from mesm.studies.ablation.conclusions import size_words
from mesm.studies.evaluation.breakdown import SplitCount
from mesm.studies.reproduction import reported, tables

_ORIGIN_WORDS = {
    "shipped": "Loaded, as shipped with this corpus",
    "given": "Loaded, as given",
    "trained": "Trained for this table",
}


def scores_export(records: Sequence[Record[ScoredModel]], number: int) -> FigureExport:
    """Export Table 3 or 4: every scored model, the reported rows, the trivial answers."""
    paper = reported.scores(number)
    corpus, data = records[0].provenance.corpus, records[0].data
    short = tables.ACCURACY_WORDS[paper.accuracy]
    return corpus_export(
        corpus,
        f"table {number}",
        f"Table {number}: {short} and F1 on {corpus.name}",
        f"{short} and F1 in percent on the {data.split} split of {corpus.name} ({counted(data.clips, 'clip')}, "
        f"{counted(data.speakers, 'speaker')}); thresholds chosen on the validation split; "
        "single seeds are not ranked beside means over several. "
        "95 %: interval over speakers. Work: convolutions and "
        f"attention, share of FE2E's multiply-adds. Reported rows: Dai et al. (2021), Table {number}, on {paper.corpus}: "
        "another corpus, not to be ranked.",
        tables.scores_table(records, paper),
        origin_of(*records, cost_unit="MAC, as a share of FE2E's"),
        beside=paper.corpus,
    )


def splits_export(corpus: CorpusId, counts: Sequence[SplitCount], number: int) -> FigureExport:
    """Export Table 1 or 2: clips of each emotion in each split."""
    paper = reported.split_counts(number)
    digest: dict[str, Json] = {"corpus_digest": corpus.digest} if corpus.digest else {}
    splits: list[Json] = [c.split for c in counts]
    return corpus_export(
        corpus,
        f"table {number}",
        f"Table {number}: the splits of {corpus.name}",
        f"Clips of {corpus.name} that show each emotion, per split; mean words and seconds per clip. "
        "A clip may show several emotions or none.",
        tables.splits_table(corpus.name, counts, paper, "IEMOCAP" if number == 1 else "CMU-MOSEI"),
        {"corpus": corpus.name, "n": sum(c.clips for c in counts), "split": splits, **digest},
    )


def modalities_export(record: Record[Ablation]) -> FigureExport:
    """Export Table 5: FE2E and MESM on subsets of the modalities, one trained model per row."""
    data, corpus = record.data, record.provenance.corpus
    loaded = [line.row for line in data.rows if any(line.loaded)]
    origin = f"{', '.join(loaded)} loaded, the others trained" if loaded else "every row trained"
    return corpus_export(
        corpus,
        "table 5",
        f"Table 5: ablation on {corpus.name}",
        f"Averages in percent on the {data.setup.split} split of {corpus.name}; {origin}, {size_words(data)}; "
        "intervals over speakers. T words, A voice, V face.",
        tables.modalities_table(data, reported.TABLE_5),
        origin_of(record, setup=data.setup, seeds=data.seeds),
    )


def reported_modalities_export() -> FigureExport:
    """Export Table 5 as the paper reports it, where nothing was trained here."""
    return FigureExport(
        name="table-5-reported",
        title="Table 5 as reported",
        caption="Average accuracy and F1 in percent on IEMOCAP, as reported by Dai et al. (2021), Table 5.",
        command="mesm figure table 5",
        table=tables.reported_modalities_table(reported.TABLE_5),
        cites=(PAPER, *corpus_cites("iemocap")),
    )


def models_export(records: Sequence[Record[ReproducedLine]], sweeps: Sequence[Record[Sweep]] = ()) -> FigureExport:
    """Export size, cost and time of the models of a reproduced table; times of `sweeps` of the same weights decide."""
    data, corpus = records[0].data, records[0].provenance.corpus
    machine, times = tables.model_times(records, sweeps)
    missing = "" if None not in times else " A dash: not timed on that machine in the same run."
    return corpus_export(
        corpus,
        "models",
        f"Size, cost and time of the models on {corpus.name}",
        f"Mean multiply-adds and median milliseconds per clip on the {data.split} split of {corpus.name}, one clip at a "
        f"time ({machine.words()}).{missing} Not counted: a frozen text encoder, ingestion, and extracting "
        "hand-crafted features. The share is that of convolutions and attention. 95 %: interval over speakers.",
        tables.models_table(records, sweeps),
        origin_of(*sorted(records, key=lambda record: record.data.macs), cost_unit="MAC"),
    )


def origin_note(records: Sequence[Record[ReproducedLine]], missing: Mapping[str, str]) -> str:
    """Return sentences on what was loaded, what was trained, with how many seeds, and what was not run.

    Args:
        records: of `mesm reproduce table3` or `table4`; at least one.
        missing: model -> why it has no line.
    """
    origins: dict[str, list[str]] = {}
    differences = []
    for record in records:
        model, checkpoints = record.provenance.checkpoint, record.data.checkpoints
        for origin in dict.fromkeys(checkpoint.origin for checkpoint in checkpoints):
            origins.setdefault(origin, []).append(model)
        settings = dict.fromkeys(words for checkpoint in checkpoints for words in checkpoint.differs)
        differences += [f"{model} differs from the preset: {'; '.join(settings)}."] if settings else []
    sentences = [f"{_ORIGIN_WORDS[origin]}: {', '.join(models)}." for origin, models in origins.items()]
    seeds = records[0].data.seeds
    sentences += [*differences, f"{counted(seeds, 'seed')}."]
    return " ".join([*sentences, f"Not run: {', '.join(missing)}."] if missing else sentences)

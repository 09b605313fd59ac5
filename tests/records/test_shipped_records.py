"""One number for one thing: everything that two shipped records share is equal, and equal to the checkpoint's metrics."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesm.analysis.checkpoints import find_checkpoints, read_facts
from mesm.analysis.provenance import clip_origin
from mesm.analysis.supervision import with_supervision
from mesm.errors import DataError
from mesm.estimate import decimal_text
from mesm.figures.export import FigureExport, provenance_of, render
from mesm.figures.tables import Row, Table
from mesm.models.card import model_card
from mesm.records.base import Record, read_record
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.comparison import PairedDifference
from mesm.records.evaluation import TimedOn
from mesm.records.store import RecordStore
from mesm.runtime import assets
from mesm.studies.ablation.conclusions import conclusions
from mesm.studies.facs.codebooks import CODEBOOKS
from mesm.studies.facs.exports import baselines_export, controls_export, heat_map_export
from mesm.studies.facs.statements import UNSPECIFIC, statements
from mesm.studies.facs.tables import emotion_sentences
from mesm.studies.guidance.tables import fair_null, same_budget
from mesm.studies.reproduction.reported import TABLE_4
from mesm.studies.reproduction.tables import models_table, scored_models, scores_table, time_note
from mesm.studies.sweep.chart_data import SweepView, sweep_chart, time_sentence, with_evaluations

STORED = [read_record(path) for path in sorted((assets() / "records").glob("*.json"))]
_EVALUATED = [record for record in STORED if record.kind == "evaluate"]
#: As pages and commands show them.
RECORDS = [with_evaluations(record, _EVALUATED) if record.kind == "sweep" else record for record in STORED]
#: (weights, corpus, split, top-p, thresholds, metric)
Key = tuple[str, str, str, float | None, tuple[float | None, ...] | None, str]


def of(kind: str) -> list[Record[Any]]:
    return [record for record in RECORDS if record.kind == kind]


def scores(record: Record[Any]) -> Iterator[tuple[Key, object]]:
    """Every score of one checkpoint that a record holds."""
    origin, data = record.provenance, record.data
    where = (origin.corpus.digest, getattr(data, "split", ""))

    def rows(sha: str, top_p: float | None, thresholds: Any, average: Any, ratio: Any, interval: Any) -> Any:
        for metric in ("accuracy", "wacc", "f1", "auc"):
            yield (sha, *where, top_p, thresholds, metric), getattr(average, metric)
            if metric in interval:
                yield (sha, *where, top_p, thresholds, f"{metric} interval"), interval[metric]
        yield (sha, *where, top_p, thresholds, "macs"), ratio

    if record.kind == "evaluate":
        yield from rows(
            origin.checkpoint_sha256[0], data.top_p, data.thresholds, data.average, data.macs_ratio, data.interval
        )
    if record.kind in ("seeds", "reproduce"):
        shas = origin.checkpoint_sha256 or tuple(c.sha256 for c in data.checkpoints)
        for run, sha in zip(data.runs, shas, strict=True):
            yield from rows(sha, data.top_p, run.thresholds, run.average, run.macs_ratio, run.interval)
    if record.kind == "sweep":
        points = [(origin.checkpoint_sha256[0], point) for point in data.points]
        points += [(data.reference.sha256, data.reference.point)]
        for sha, p in points:
            yield from rows(sha, p.top_p, p.thresholds, p.average, p.macs_ratio, p.interval)


def test_what_two_records_share_is_equal() -> None:
    """Shown with one decimal; one AUC of two runs differs in its third."""
    values: dict[Key, dict[object, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in RECORDS:
        for key, value in scores(record):
            values[key][decimal_text(value, 1) if isinstance(value, float) and key[-1] != "macs" else value].append(
                record.kind
            )
    shared = {key: found for key, found in values.items() if sum(map(len, found.values())) > 1}
    assert len(shared) > 20
    assert {key: dict(found) for key, found in shared.items() if len(found) > 1} == {}


def test_no_point_of_a_sweep_contradicts_an_evaluation() -> None:
    """At the same weights, split and top-p the thresholds are the same too: 85.8 stood beside 86.0."""
    for sweep in of("sweep"):
        for evaluation in of("evaluate"):
            for point in sweep.data.points:
                same = evaluation.provenance.checkpoint_sha256 == sweep.provenance.checkpoint_sha256
                if same and (evaluation.data.split, evaluation.data.top_p) == (sweep.data.split, point.top_p):
                    assert (
                        point.thresholds == evaluation.data.thresholds
                        and point.average.wacc == evaluation.data.average.wacc
                    )


def test_the_means_over_seeds_are_one() -> None:
    for one in of("seeds"):
        for line in of("reproduce"):
            if [run.checkpoint for run in line.data.runs] == [run.checkpoint for run in one.data.runs]:
                assert line.data.average == one.data.average and line.data.spread == one.data.spread


def test_the_checkpoints_metrics_are_those_of_their_evaluations() -> None:
    by_sha = {record.provenance.checkpoint_sha256[0]: record.data for record in of("evaluate")}
    compared = 0
    for folder in find_checkpoints().values():
        facts = read_facts(folder)
        if facts.sha256 in by_sha and (test := facts.metrics.test) is not None:
            data, compared = by_sha[facts.sha256], compared + 1
            assert (test.wacc, test.f1) == (data.average.wacc, data.average.f1)
            assert tuple(facts.metrics.thresholds) == data.thresholds
    assert compared >= 2


def test_a_comparison_has_the_numbers_of_its_evaluations() -> None:
    runs = [(record, 1) for record in of("evaluate")] + [(record, 3) for record in of("seeds")]
    known = {(record.provenance.checkpoint, count): record.data.average for record, count in runs}
    known_too = 0
    for record in of("compare"):
        for side in (record.data.first, record.data.second):
            if (average := known.get((side.name, side.runs))) is not None:
                known_too += 1
                assert (side.wacc, side.f1) == (average.wacc, average.f1)
    assert known_too == 3, "all but the longer FE2E, which does not ship"


def test_one_time_for_each_model() -> None:
    """The table of Results prints the sweep's times of FE2E and MESM, and says what they come to."""
    (sweep,), lines = of("sweep"), of("reproduce")
    rows = {row.cells[0]: row.cells[4] for row in models_table(lines, [sweep]).rows}
    at_own = next(point for point in sweep.data.points if point.top_p == 0.5)
    note, sentence = time_note(lines, [sweep]), time_sentence(sweep)
    if sweep.data.timed_on is None:  # times of whole batches are shown nowhere
        with pytest.raises(DataError, match="whole batches"):
            sweep_chart([sweep], SweepView(axis="ms"))
        assert sentence is None
    else:
        assert (rows["MESM, p = 0.5, 3 seeds"], rows["FE2E, 3 seeds"]) == (
            at_own.ms_per_clip, sweep.data.reference.point.ms_per_clip,
        )  # fmt: skip
        assert rows["MulT, 3 seeds"] is None, "timed on another machine"
        assert sentence is not None and sweep.data.timed_on.machine in sentence
        assert note == sentence, "Results and Efficiency have one sentence"
    assert note is not None
    slower = float(rows["MESM, p = 0.5, 3 seeds"]) >= float(rows["FE2E, 3 seeds"])  # type: ignore[arg-type]
    assert ("saves multiply-adds, not time" in note) == slower


def test_slower_is_said() -> None:
    (sweep,) = of("sweep")
    points = tuple(replace(p, ms_per_clip=1e3) for p in sweep.data.points)
    slow = replace(sweep, data=replace(sweep.data, points=points, timed_on=TimedOn("cpu", 2, "made")))
    assert "MESM saves multiply-adds, not time" in (time_sentence(slow) or "")
    assert time_sentence(replace(sweep, data=replace(sweep.data, timed_on=None))) is None


def test_seeds_are_told_apart_and_named_alike() -> None:
    records = scored_models(of("evaluate"), of("seeds"), of("reproduce"))
    rows = [row for row in scores_table(records, TABLE_4).rows if row.group.startswith("measured")]
    several = [str(row.cells[0]) for row in rows if row.ranked]
    assert several == [
        "LF-LSTM, 3 seeds", "LF-TRANS, 3 seeds", "EmoEmbs, 3 seeds", "MulT, 3 seeds", "FE2E, 3 seeds",
        "MESM, p = 0.5, 3 seeds",
    ]  # fmt: skip
    single = [str(row.cells[0]) for row in rows if not row.ranked]
    assert len(single) == 6 and all(
        name.partition(" (")[0] == many.partition(",")[0] for name, many in zip(single, several, strict=True)
    )
    assert {row.group for row in rows} == {"measured here, mean of 3 seeds", "measured here, one seed"}


def test_the_awkward_results_are_concluded() -> None:
    (ablation,) = of("ablation")
    found = conclusions(ablation.data)
    assert "2.3 points of WAcc below FE2E" in found["mesm-TAV"]
    assert "1.9 points of WAcc above MESM with every part" in found["query-none"]
    assert "not shown to differ" in found["attention-random"]


def test_the_unsupervised_attention_is_of_smaller_models() -> None:
    (guidance,) = of("guidance")
    said = fair_null(guidance.data) or ""
    assert "at 0.99 / 1.01 / 1.13 of chance" in said and "at 1.39 / 1.58 / 1.54" in said
    assert "the agreement comes from the supervision" in said
    assert "smaller than this checkpoint" in said and "width 0.125, 400 training clips" in said


def test_every_recipe_stands_beside_fe2e_with_as_many_epochs() -> None:
    (guidance,) = of("guidance")
    assert same_budget(guidance.data) == (
        "After as many epochs, FE2E has WAcc 68.5 against MESM's 66.0 (trained on labels alone), 69.6 against MESM's 68.5 "
        "(trained with a detector's action units) and 71.0 against MESM's 68.4 (trained with known action units)."
    )


def test_the_seeds_are_compared_with_an_fe2e_of_as_many_epochs() -> None:
    found = [record.data for record in of("compare") if record.data.first.runs == 3]
    assert [data.not_above() for data in found] == [
        "Over 3 seeds, marionette-mesm has WAcc 85.5 beside 86.2 of marionette-fe2e-as-many-epochs (1 seed): "
        "-0.7 (-1.8 to +0.6), not shown to differ."
    ]
    better = replace(
        found[0], difference={"wacc": PairedDifference(1.0, 0.2, 1.8, 0.99), "f1": PairedDifference(*[None] * 4)}
    )
    assert better.not_above() is None


def test_disgust_is_no_more_specific_than_chance() -> None:
    (study,) = of("facs")
    lines = {line.partition(":")[0]: line for line in emotion_sentences(study.data)}
    assert (
        "no more specific than chance (lift 2.01 / 2.09 / 1.86; shuffled labels 2.00 / 2.12 / 1.87" in lines["disgust"]
    )
    assert "centre bias 1.86 / 1.95 / 1.70" in lines["disgust"]
    assert "more specific than chance in L1, L2, L3" in lines["sadness"] and "in L2, L3 (" in lines["surprise"]
    nose = next(row for row in statements(study.data, None) if row.statement == "the nose is attended")
    assert nose.verdict == UNSPECIFIC


def test_every_attention_names_its_supervision() -> None:
    for kind in ("facs", "faithfulness", "canonical"):
        for record in of(kind):
            facts = read_facts(find_checkpoints()[record.provenance.checkpoint])
            supervision = with_supervision(record, facts).data.supervision
            assert supervision is not None and supervision.regions, record.file_name


def test_a_small_trial_does_not_hide_a_large_record(tmp_path: Path) -> None:
    from mesm.records.base import write_record

    (shipped,) = of("facs")
    counts = replace(shipped.data.counts, clips=8)
    trial = replace(
        shipped, data=replace(shipped.data, counts=counts), provenance=replace(shipped.provenance, created="2030")
    )
    write_record(tmp_path, trial)
    store = RecordStore([tmp_path, assets() / "records"])
    found = store.find("facs", corpus=shipped.provenance.corpus)
    assert [record.data.clips for record in found] == [600, 8]
    (evaluation, *_) = of("evaluate")
    train = replace(evaluation, data=replace(evaluation.data, split="train", clips=9000))
    write_record(tmp_path, train)
    first = store.first("evaluate", checkpoint=evaluation.provenance.checkpoint)
    assert first is not None and first.data.split == "test", "more clips of the training split are no better"


@pytest.mark.parametrize("name", ["marionette-mesm", "marionette-fe2e"])
def test_no_card_says_that_a_model_started_from_itself(name: str) -> None:
    facts = read_facts(find_checkpoints()[name])
    assert f"weights of {name}" not in facts.card
    metrics = replace(CheckpointMetrics(), train={"init_from": f"runs/{name}"})
    assert f"an earlier stage of {name}" in model_card(name, facts.config, metrics)
    metrics = replace(metrics, train={"init_from": "runs/another"})
    assert "the weights of another" in model_card(name, facts.config, metrics)


def test_every_exported_file_of_an_attention_names_its_supervision() -> None:
    """In caption and provenance, also for a clip's figure; a re-initialised map is not called supervised."""
    (record,) = of("facs")
    book = CODEBOOKS["emfacs"]
    for export in (heat_map_export(record, book, 1), baselines_export(record, book), controls_export(record, "own")):
        made_from = provenance_of(export, "json", "acl-column")
        assert "was supervised with true AU regions" in str(made_from["caption"])
        assert "was supervised" in json.dumps(made_from["sources"])
    control = provenance_of(heat_map_export(record, book, 1, "random"), "json", "acl-column")
    assert "was supervised" not in str(control["caption"]) and "not trained" in str(control["attention_supervision"])
    wanted = {"marionette-mesm": "true AU regions", "people-mesm": "five points"}
    for name, folder in find_checkpoints().items():
        origin = clip_origin(read_facts(folder))
        note = str(origin.get("attention_supervision", ""))
        assert (wanted[name] in note) if name in wanted else not note
        table = Table(("site",), (Row((1,)),))
        clip = FigureExport("case", "A clip", "A clip.", "mesm figure case", origin, table=table)
        assert note in str(provenance_of(clip, "json", "acl-column")["caption"])
        assert note in render(clip, "tex").decode()

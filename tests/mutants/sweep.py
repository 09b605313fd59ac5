"""One-line faults in the sweep, the learning curves, the architecture and the jobs, each with the test that must fail."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_SWEEP = "mesm/studies/sweep"
_CHARTS = "tests/studies/sweep/test_sweep_charts.py"
_MEASURE = "tests/studies/sweep/test_sweep.py"

MUTANTS: list[Mutant] = [
    # Thresholds chosen on the split that is scored.
    Mutant(
        f"{_SWEEP}/measure.py",
        "        thresholds = metrics.choose_thresholds(valid_scores, valid.truth_NE)",
        "        thresholds = metrics.choose_thresholds(np.concatenate(tested.outputs[top_p].scores)[:, columns], tested.truth_NE)",
        _MEASURE,
    ),
    # The checkpoint's own p is scored with other thresholds than its evaluation.
    Mutant(
        f"{_SWEEP}/measure.py",
        "    if valid.clip_ids and not _has_own_thresholds(predictor, protocol.corpus, top_p):",
        "    if valid.clip_ids:",
        _MEASURE,
    ),
    # An older measurement replaces the times of a newer sweep.
    Mutant(
        f"{_SWEEP}/chart_data.py",
        "        if timing.provenance.created <= origin.created or not timing.provenance.corpus.same(origin.corpus):",
        "        if not timing.provenance.corpus.same(origin.corpus):",
        _CHARTS,
    ),
    # The elbow is always the first point.
    Mutant(
        f"{_SWEEP}/top_ps.py",
        "    return known[int(np.argmax(y - chord))]",
        "    return 0",
        _MEASURE,
    ),
    # The ratio is upside down.
    Mutant(
        f"{_SWEEP}/measure.py",
        "        macs_ratio=round(float(np.nanmean(ratios)), 4),",
        "        macs_ratio=round(float(np.nanmean(1 / ratios)), 4),",
        _MEASURE,
    ),
    # Amounts are those of all stages, not of the convolution stack.
    Mutant(
        f"{_SWEEP}/chart_data.py",
        '    return OPERATIONS[axis] * measured.macs["conv_stack"] / 1e9',
        '    return OPERATIONS[axis] * measured.macs["fe2e_conv_stack"] / 1e9',
        _CHARTS,
    ),
    # The ends of the band are swapped.
    Mutant(
        f"{_SWEEP}/screen.py",
        "    low, high = line.band",
        "    high, low = line.band[0], line.y",
        _CHARTS,
    ),
    # The lengths of the error bars are swapped.
    Mutant(
        f"{_SWEEP}/screen.py",
        "    bars = error_bars(*line.error_bars, thickness=1.5)",
        "    bars = error_bars(*line.error_bars[::-1], thickness=1.5)",
        _CHARTS,
    ),
    # Progress is a count instead of a share.
    Mutant(
        "mesm/ui/jobs.py",
        "    return min(1.0, max(0.0, progress.done / max(progress.total, 1)))",
        "    return progress.done",
        "tests/ui/test_jobs.py",
    ),
    # Relative scores are percent of percent.
    Mutant(
        f"{_SWEEP}/chart_data.py",
        "    return ChartPoint(measured.top_p, _cost(measured, view.axis, name), score / scale, low, high, elbow)",
        "    return ChartPoint(measured.top_p, _cost(measured, view.axis, name), score, low, high, elbow)",
        _CHARTS,
    ),
    # A FLOP is counted once per multiply-add.
    Mutant(
        f"{_SWEEP}/chart_data.py",
        'OPERATIONS: dict[str, int] = {"gmac": 1, "gflop": 2}',
        'OPERATIONS: dict[str, int] = {"gmac": 1, "gflop": 1}',
        _CHARTS,
    ),
    # A record of another corpus of the same name matches.
    Mutant(
        "mesm/records/base.py",
        "            return self.digest == other.digest",
        "            return self.name == other.name",
        _CHARTS,
    ),
    # A record found by name alone comes before the one of the same digest.
    Mutant(
        "mesm/records/store.py",
        "            matches.sort(key=lambda record: not corpus.digest or record.provenance.corpus.digest != corpus.digest)",
        "            matches.sort(key=lambda record: record.provenance.corpus.digest == corpus.digest)",
        _CHARTS,
    ),
    # Learning curves count epochs from 0.
    Mutant(
        "mesm/studies/learning/chart_data.py",
        "    known = [(row.epoch + 1, value) for row in epochs if (value := getattr(row, key)) is not None]",
        "    known = [(row.epoch, value) for row in epochs if (value := getattr(row, key)) is not None]",
        "tests/figures/test_learning.py",
    ),
    # The best epoch is the last.
    Mutant(
        "mesm/studies/learning/chart_data.py",
        "        ring = None if best is None else (f1.epochs[f1.values.index(best)], best)",
        "        ring = None if best is None else (f1.epochs[-1], best)",
        "tests/figures/test_learning.py",
    ),
    # The drawing's nucleus keeps one site more.
    Mutant(
        "mesm/studies/architecture/chart_data.py",
        "    kept[order[:count]] = True",
        "    kept[order[: count + 1]] = True",
        "tests/figures/test_architecture_figure.py",
    ),
    # A later process of the same number counts as the job.
    Mutant(
        "mesm/locks.py",
        '    return started != "" and process_start(pid) == started',
        '    return started != "" and process_start(pid) != ""',
        "tests/ui/test_jobs.py",
    ),
    # A newer run takes the colour of another.
    Mutant(
        "mesm/studies/learning/chart_data.py",
        "next(number for number in count() if number not in taken)",
        "next(number for number in count())",
        "tests/ui/test_runs.py",
    ),
    # A running run is deleted.
    Mutant(
        "mesm/ui/runs/training_runs.py",
        "    if read_run(run.folder).status == RUNNING:",
        "    if run.status == RUNNING and not run.epochs:",
        "tests/ui/test_runs.py",
    ),
    # The validation loss is a mean over batches.
    Mutant(
        "mesm/training/validation.py",
        "                total += len(batch) * float(label_loss.of_logits(output.logits_BE, batch.labels))",
        "                total += float(label_loss.of_logits(output.logits_BE, batch.labels))",
        "tests/training/test_training_steps.py::test_the_validation_loss_by_hand",
    ),
]

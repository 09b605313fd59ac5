"""One-line faults of the evaluation's code, and a test that has to notice each."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_MEASURE = "tests/studies/evaluation/test_measure.py"
_SEEDS = "tests/studies/seeds/test_comparison.py"
_BREAKDOWN = "tests/studies/evaluation/test_breakdown.py"
_WHAT_IF = "tests/analysis/test_what_if.py"
_CHARTS = "tests/studies/evaluation/test_evaluation_charts.py"

MUTANTS: list[Mutant] = [
    Mutant(
        "mesm/studies/evaluation/measure.py",
        "scores, thresholds = result.scores[:, columns], predictor.thresholds[columns]",
        "scores = result.scores[:, columns]; thresholds = metrics.choose_thresholds(scores, result.truth)",
        _MEASURE,
    ),
    Mutant(
        "mesm/training/metrics.py",
        "return 50 * (_ratio(c.tp, c.tp + c.fn, np.nan) + _ratio(c.tn, c.tn + c.fp, np.nan))",
        "return 50 * (_ratio(c.tp, c.tp + c.fp, np.nan) + _ratio(c.tn, c.tn + c.fn, np.nan))",
        "tests/training/test_metrics.py",
    ),
    Mutant(
        "mesm/training/metrics.py",
        'return {"never": {k: never[k] for k in keep}, "always": {k: always[k] for k in keep}, "chance": chance}',
        'return {"never": {k: always[k] for k in keep}, "always": {k: never[k] for k in keep}, "chance": chance}',
        _MEASURE,
    ),
    Mutant(
        "mesm/studies/seeds/comparison.py",
        "metric: PairedDifference(estimate.value, estimate.low, estimate.high, share)",
        "metric: PairedDifference(-estimate.value, estimate.low, estimate.high, share)",
        _SEEDS,
    ),
    Mutant(
        "mesm/training/metrics.py",
        '"spread": round(float(np.std([s[name] for s in summaries], ddof=1)), 3) if len(summaries) > 1 else 0.0,',
        '"spread": round(float(np.std([s[name] for s in summaries], ddof=0)), 3) if len(summaries) > 1 else 0.0,',
        _SEEDS,
    ),
    Mutant(
        "mesm/studies/reproduction/table_jobs.py",
        "return checkpoint_folder(self.checkpoints[model][self.seeds.index(seed)])",
        "return checkpoint_folder(self.checkpoints[model][0])",
        _MEASURE,
    ),
    Mutant(
        "mesm/studies/evaluation/breakdown.py",
        "return (*clips.labels, NONE), (truth.T.astype(float) @ columns).astype(int)",
        "return (*clips.labels, NONE), (truth.T.astype(float) @ columns).astype(int).T",
        _BREAKDOWN,
    ),
    Mutant(
        "mesm/models/checkpoint.py",
        "    metrics = read_metrics(folder)\n    if evaluation.split",
        "    metrics = CheckpointMetrics()\n    if evaluation.split",
        _MEASURE,
    ),
    Mutant(
        "mesm/studies/evaluation/chart_data.py",
        "counts / np.maximum(np.diag(counts), 1)[:, None]",
        "counts / np.maximum(np.diag(counts), 1)[None, :]",
        _CHARTS,
    ),
    Mutant(
        "mesm/records/evaluation.py",
        "return {n: Interval(e.low, e.high) for",
        "return {n: Interval(e.high, e.low) for",
        _MEASURE,
    ),
    Mutant(
        "mesm/studies/evaluation/breakdown.py",
        "b.count * abs(b.mean_score - b.share_true)",
        "abs(b.mean_score - b.share_true)",
        _BREAKDOWN,
    ),
    Mutant(
        "mesm/studies/reproduction/measure.py",
        "if (data.split, data.top_p, data.per_clip.ids) == (split, top_p, tuple(corpus.ids(split))):",
        "if (data.split, data.per_clip.ids) == (split, tuple(corpus.ids(split))):",
        _MEASURE,
    ),
    Mutant(
        "mesm/studies/seeds/comparison.py",
        "runs=tuple((scores[order], thresholds) for scores, thresholds in b.runs)",
        "runs=tuple((scores, thresholds) for scores, thresholds in b.runs)",
        _SEEDS,
    ),
    Mutant(  # a cell leads to the clips of its mirror image
        "mesm/studies/evaluation/breakdown.py",
        "inside = truth[:, names.index(true)] & (columns[:, names.index(top)] > 0)",
        "inside = truth[:, names.index(top)] & (columns[:, names.index(true)] > 0)",
        _BREAKDOWN,
    ),
    Mutant(  # a modality that was left out is scored
        "mesm/models/base.py",
        "counts[modality] = prepared.counts[modality] * has[modality]",
        "counts[modality] = prepared.counts[modality] + 0 * has[modality]",
        _WHAT_IF,
    ),
    Mutant(  # the score with the word minus that without it
        "mesm/analysis/what_if.py",
        "return self.scores - self.before.scores",
        "return self.before.scores - self.scores",
        _WHAT_IF,
    ),
    Mutant(  # every clip of a trace file is the first one
        "mesm/studies/case/traces.py",
        'f"{number:05d}/{name}": a for name, a',
        'f"{0:05d}/{name}": a for name, a',
        "tests/studies/case/test_traces.py",
    ),
]

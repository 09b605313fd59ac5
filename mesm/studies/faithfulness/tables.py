"""Make the tables of the faithfulness tests: for the command line, the app and the exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from mesm.estimate import Estimate, counted
from mesm.figures.style import MODALITY_WORDS
from mesm.figures.tables import Row, Table
from mesm.records.faithfulness import (
    SITE_SETS,
    ControlTest,
    Faithfulness,
    KeepOnly,
    NeutralTexts,
    ShuffledTexts,
    SiteOrder,
    SufficientP,
)

#: Branches with an attention, in the order of the tables.
BRANCHES = ("visual", "acoustic")
_METRICS = {"accuracy": "strongest score is right, %", "wacc": "WAcc, %", "auc": "AUC, %"}
_SITE_SETS = {
    "nucleus": "the nucleus",
    "random": "as many random sites",
    "least": "as many of the least attended",
    "complement": "all but the nucleus",
}
_PRUNED = {"all": "all layers", "L1": "L1 alone", "L2": "L2 alone", "L3": "L3 alone"}
T = TypeVar("T")


def _by_branch(branches: dict[str, T]) -> Iterator[tuple[str, T]]:
    """Yield the branch in words and its measurement."""
    for branch in BRANCHES:
        if branch in branches:
            yield MODALITY_WORDS[branch], branches[branch]


def summary_table(record: Faithfulness) -> Table:
    """Return the main result of each test, with its interval and with the value of no effect."""
    rows: list[Row] = []

    def add(test: str, branch: str, result: Estimate, digits: int, no_effect: str) -> None:
        rows.append(Row((test, branch, result.words(digits), no_effect)))

    for branch, cost in _by_branch(record.shuffled_text.branches):
        add("accuracy lost with shuffled texts, points", branch, cost.accuracy.cost, 1, "0")
    for source in record.neutral_text.sources:
        add(f"AUC of the text's emotion, {source.source}", MODALITY_WORDS["visual"], source.auc, 3, "0.5")
    for branch, sets in _by_branch(record.keep_only.branches):
        add("score of the nucleus - of random sites", branch, sets.nucleus_gain, 3, "0")
    for branch, layers in _by_branch(record.order.branches):
        add("insertion - random order, area", branch, layers["all"].insertion_gain, 3, "0")
        add("random order - deletion, area", branch, layers["all"].deletion_gain, 3, "0")
    for layer, lift in enumerate(record.loudness.layers if record.loudness is not None else (), 1):
        add(f"loudness of kept over active sites, L{layer}", MODALITY_WORDS["acoustic"], lift.kept_lift, 2, "1")
    low, middle, high = record.sufficient_p.quartiles
    rows.append(Row(("smallest sufficient p, median (quartiles)", "all", f"{middle:g} ({low:g} to {high:g})", "")))
    return Table(("test", "branch", "result (95 % interval)", "no effect"), tuple(rows))


def shuffled_texts_table(test: ShuffledTexts) -> Table:
    """Return the cost of shuffled texts per branch and metric."""
    rows = []
    for word, branch in _by_branch(test.branches):
        for metric, title in _METRICS.items():
            cost = getattr(branch, metric)
            rows.append(Row((word, title, cost.own, cost.shuffled, cost.cost.value, cost.cost.low, cost.cost.high)))
    return Table(("branch", "measure", "own text", "shuffled", "cost", "95 % from", "to"), tuple(rows))


def neutral_texts_table(test: NeutralTexts) -> Table:
    """Return the effect of emotive texts on each source of neutral faces."""
    layers = max((len(source.text_lift or ()) for source in test.sources), default=0)
    rows = []
    for source in test.sources:
        lifts = (lift.words() for lift in source.text_lift or (Estimate(None),) * layers)
        aucs = (source.auc.words(3), source.auc_within_face.words(3))
        rows.append(Row((source.source, source.faces, source.people, *aucs, *lifts)))
    columns = ("faces", "number", "people", "all faces", "one face", *(f"L{layer + 1}" for layer in range(layers)))
    heads = ("", "", "", "AUC,", "AUC,", *("text lift",) * layers)
    return Table(columns, tuple(rows), heads=heads)


def keep_only_table(test: KeepOnly) -> Table:
    """Return the scores with each set of sites kept."""
    rows = tuple(
        Row((word, _SITE_SETS[name], scores.share, scores.score.value, scores.same.value, _percent(scores.accuracy)))
        for word, branch in _by_branch(test.branches)
        for name in SITE_SETS
        if (scores := getattr(branch, name))
    )
    return Table(("branch", "kept", "share of sites", "score", "first label stays", "accuracy, %"), rows, digits=3)


def _percent(estimate: Estimate) -> str:
    return Estimate(estimate.value).words(1)


def mask_sentences(record: Faithfulness) -> tuple[tuple[bool, str], ...]:
    """Return, for each branch, whether its mask beats random sites in everything measured, and a sentence."""
    lines = []
    for word, branch in _by_branch(record.keep_only.branches):
        gains = {"score": (branch.nucleus_gain, 3)}
        if branch.accuracy_gain is not None:
            gains["accuracy in points"] = (branch.accuracy_gain, 1)
        layers = record.order.branches.get(_branch_of(word), {})
        gains |= {f"insertion, {_PRUNED[name]}": (areas.insertion_gain, 3) for name, areas in layers.items()}
        failing = [
            f"{name} {gain.words(digits)}"
            for name, (gain, digits) in gains.items()
            if gain.low is None or gain.low <= 0
        ]
        ours, random = _percent(branch.nucleus.accuracy), _percent(branch.random.accuracy)
        than = f"than as many random ones (accuracy {ours} %, random {random} %)"
        if not failing:
            rest = f"do better {than}, in score and in insertion"
        elif len(failing) == len(gains):
            rest = f"do no better {than}; differences: {'; '.join(failing)}"
        else:
            rest = f"do better {than}, but not in: {'; '.join(failing)}"
        lines.append((not failing, f"{word.capitalize()}: the kept sites {rest}."))
    return tuple(lines)


def _branch_of(word: str) -> str:
    return next(branch for branch in BRANCHES if MODALITY_WORDS[branch] == word)


def site_order_table(test: SiteOrder) -> Table:
    """Return the areas of deletion and insertion per branch and pruned layer."""
    rows = []
    for word, layers in _by_branch(test.branches):
        for pruned, areas in layers.items():
            gains = (areas.insertion_gain.words(3), areas.deletion_gain.words(3))
            cells = (areas.insertion_auc, areas.deletion_auc, areas.random_auc, *gains)
            rows.append(Row((word, _PRUNED[pruned], *cells)))
    columns = ("branch", "pruned", "insertion", "deletion", "random order", "insertion - random", "random - deletion")
    return Table(columns, tuple(rows), digits=3)


def control_table(test: ControlTest) -> Table:
    """Return the agreement of the trained attention with control attentions per branch and layer."""
    rows = tuple(
        Row((word, f"L{number}", layer.rank_correlation.value, layer.iou.value, layer.iou_chance.value))
        for word, branch in _by_branch(test.branches)
        for number, layer in enumerate(branch.layers, 1)
    )
    return Table(("branch", "layer", "rank correlation", "overlap of kept sites", "by chance"), rows, digits=3)


def leak_sentence(shuffled: ShuffledTexts | None, neutral: NeutralTexts | None) -> str:
    """Return the results of both leak tests in one sentence."""
    parts = []
    visual = shuffled.branches.get("visual") if shuffled is not None else None
    if shuffled is not None and visual is not None and visual.accuracy.cost.value is not None:
        parts.append(
            f"with the texts of other clips, the accuracy of the face branch on {counted(shuffled.clips, 'clip')} changes by "
            f"{(-visual.accuracy.cost).words(1)} percentage points"
        )
    if neutral is not None and neutral.sources:
        parts.append(
            "on neutral faces the AUC of the text's emotion from its scores is "
            f"{neutral.sources[0].auc.words(3)}, where 0.5 is no leak"
        )
    return f"Leak of the text: {'; '.join(parts) or 'not measured'}."


def sufficient_p_sentence(test: SufficientP) -> str:
    """Return the quartiles of the smallest sufficient p in one sentence."""
    low, middle, high = test.quartiles
    return (
        f"For half of {test.clips} clips the decided labels are those at p = 1 from p = {middle:g} on (quartiles {low:g} "
        f"and {high:g}); {test.changes.words(1)} changes of the decision per clip over the grid."
    )


def branch_estimates(branches: dict[str, T], estimate: Callable[[T], Estimate], digits: int = 3) -> str:
    """Return one estimate per branch in words, such as "face 0.33 (0.29 to 0.37), voice -0.03 (-0.09 to 0.02)"."""
    return ", ".join(f"{word} {estimate(branch).words(digits)}" for word, branch in _by_branch(branches))

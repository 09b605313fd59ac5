"""Build the tables of `mesm figure faithfulness` with captions and provenance."""

from __future__ import annotations

from collections.abc import Callable

from mesm.estimate import Estimate
from mesm.figures.export import FigureExport, record_export
from mesm.figures.tables import Table
from mesm.records.base import Record
from mesm.records.faithfulness import CONTROL_WORDS, Faithfulness
from mesm.records.supervision import supervision_text
from mesm.studies.faithfulness import tables

#: Title, caption and table of one test.
_Part = tuple[str, str, Table]


def faithfulness_export(record: Record[Faithfulness], test: str) -> FigureExport:
    """Build the table of one test, a key of `TESTS`."""
    title, caption, table = TESTS[test](record.data)
    caption += supervision_text(record.data.supervision)
    return record_export([record], "faithfulness", title, caption, name=test, options=f" --what {test}", table=table)


def _leak(record: Faithfulness) -> _Part:
    test = record.shuffled_text
    caption = (
        f"Scores of each branch when the attention gets the texts of other clips, mean of {test.shuffles} shuffles of "
        f"{test.clips} clips. The cost is the part of the score that came from the words through the pattern of kept sites; "
        "0 is no leak. 95 % intervals over speakers."
    )
    return "Leak of the text through the mask", caption, tables.shuffled_texts_table(test)


def _neutral(record: Faithfulness) -> _Part:
    caption = (
        "One text of each emotion beside every face that shows none. AUC of the text's emotion from the face branch's "
        "scores, over all faces and within one face: 0.5 is no leak. Text lift: share of the kept sites on the regions of the "
        "text's emotion over the same share with the other texts; above 1, the text guides the attention. 95 % intervals over "
        "people."
    )
    return "Emotive texts on neutral faces", caption, tables.neutral_texts_table(record.neutral_text)


def _keep_only(record: Faithfulness) -> _Part:
    test = record.keep_only
    gains = tables.branch_estimates(test.branches, lambda branch: branch.nucleus_gain)
    accuracies = ""
    if all(branch.accuracy_gain is not None for branch in test.branches.values()):
        points = tables.branch_estimates(test.branches, lambda b: b.accuracy_gain or Estimate(None), 1)
        accuracies = f"; accuracy in points, which does not depend on the followed label, {points}"
    caption = (
        f"Score of {_followed(test.label_at)}, share of the clips whose first label it stays, and accuracy (strongest score is "
        f"right), when only these sites are kept; {test.clips} clips, p = {test.top_p:g}. Nucleus minus random sites, with "
        f"95 % intervals over speakers: score {gains}{accuracies}; at 0 the chosen sites matter no more than random ones."
    )
    return "Scores from parts of the sites", caption, tables.keep_only_table(test)


def _order(record: Faithfulness) -> _Part:
    test = record.order
    caption = (
        f"Area under the score of {_followed(test.label_at)} over the share of kept sites ({test.shares[0]:g} to 1), "
        f"{test.clips} clips. "
        "Insertion: most attended sites first; deletion: most attended sites removed first. A difference to random order "
        "above 0 shows that attended sites matter more; 95 % intervals over speakers."
    )
    return "Deletion and insertion of sites", caption, tables.site_order_table(test)


def _followed(label_at: float) -> str:
    """Name the label whose score is compared."""
    return f"the label that is first at p = {label_at:g}"


def _redrawn(record: Faithfulness) -> _Part:
    test = record.control
    changes = tables.branch_estimates(test.branches, lambda branch: branch.score_change)
    caption = (
        f"Maps and kept sites of the trained attention against {test.draws} controls ({CONTROL_WORDS[test.control]}), "
        f"{test.clips} clips. A rank correlation near 0 and an overlap near chance: the map was learnt and does not follow "
        f"from the picture alone. Mean change of the branch's scores: {changes}."
    )
    return "Trained attention against a control", caption, tables.control_table(test)


#: `--what` of `mesm figure faithfulness` -> its part of a record.
TESTS: dict[str, Callable[[Faithfulness], _Part]] = {
    "leak": _leak,
    "neutral": _neutral,
    "keep-only": _keep_only,
    "order": _order,
    "redrawn": _redrawn,
}

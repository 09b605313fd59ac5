"""Build the tables of `mesm figure faithfulness` with captions and provenance."""

from __future__ import annotations

from collections.abc import Callable

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, origin_of
from mesm.figures.tables import Table
from mesm.files import slug
from mesm.records.base import Record
from mesm.records.faithfulness import CONTROL_WORDS, Faithfulness
from mesm.studies.faithfulness import tables


def shuffled_texts_export(record: Record[Faithfulness]) -> FigureExport:
    """Build the table of what each branch loses with shuffled texts."""
    test = record.data.shuffled_text
    return _export(
        record,
        "leak",
        "Leak of the text through the mask",
        f"Scores of each branch when the attention gets the texts of other clips, mean of {test.shuffles} shuffles of "
        f"{test.clips} clips. The cost is the part of the score that came from the words through the pattern of kept sites; "
        "0 is no leak. 95 % intervals over speakers.",
        tables.shuffled_texts_table(test),
    )


def neutral_texts_export(record: Record[Faithfulness]) -> FigureExport:
    """Build the table of emotive texts on neutral faces."""
    return _export(
        record,
        "neutral",
        "Emotive texts on neutral faces",
        "One text of each emotion beside every face that shows none. AUC of the text's emotion from the face branch's "
        "scores, over all faces and within one face: 0.5 is no leak. Text lift: share of the kept sites on the regions of the "
        "text's emotion over the same share with the other texts; above 1, the text guides the attention. 95 % intervals over "
        "people.",
        tables.neutral_texts_table(record.data.neutral_text),
    )


def keep_only_export(record: Record[Faithfulness]) -> FigureExport:
    """Build the table of scores when only some sites are kept."""
    test = record.data.keep_only
    gains = tables.branch_estimates(test.branches, lambda branch: branch.nucleus_gain)
    return _export(
        record,
        "keep-only",
        "Scores from parts of the sites",
        f"Score of the label that is first with all sites, and share of the clips whose first label stays, when only these "
        f"sites are kept; {test.clips} clips, p = {test.top_p:g}. Nucleus minus random sites, with 95 % intervals over "
        f"speakers: {gains}; at 0 the chosen sites matter no more than random ones.",
        tables.keep_only_table(test),
    )


def site_order_export(record: Record[Faithfulness]) -> FigureExport:
    """Build the table of deletion and insertion."""
    test = record.data.order
    return _export(
        record,
        "order",
        "Deletion and insertion of sites",
        f"Area under the first label's score over the share of kept sites ({test.shares[0]:g} to 1), {test.clips} clips. "
        "Insertion: most attended sites first; deletion: most attended sites removed first. A difference to random order "
        "above 0 shows that attended sites matter more; 95 % intervals over speakers.",
        tables.site_order_table(test),
    )


def control_export(record: Record[Faithfulness]) -> FigureExport:
    """Build the table of the trained attention against a control."""
    test = record.data.control
    changes = tables.branch_estimates(test.branches, lambda branch: branch.score_change)
    return _export(
        record,
        "redrawn",
        "Trained attention against a control",
        f"Maps and kept sites of the trained attention against {test.draws} controls ({CONTROL_WORDS[test.control]}), "
        f"{test.clips} clips. A rank correlation near 0 and an overlap near chance: the map was learnt and does not follow "
        f"from the picture alone. Mean change of the branch's scores: {changes}.",
        tables.control_table(test),
    )


#: `--what` of `mesm figure faithfulness` -> builder from a faithfulness record.
EXPORTS: dict[str, Callable[[Record[Faithfulness]], FigureExport]] = {
    "leak": shuffled_texts_export,
    "neutral": neutral_texts_export,
    "keep-only": keep_only_export,
    "order": site_order_export,
    "redrawn": control_export,
}


def _export(record: Record[Faithfulness], what: str, title: str, caption: str, table: Table) -> FigureExport:
    origin = record.provenance
    return FigureExport(
        name=f"{what}-{slug(origin.checkpoint)}-{slug(origin.corpus.name)}",
        title=title,
        caption=caption,
        command=f"mesm figure faithfulness {origin.source} --what {what}",
        origin=origin_of(record),
        table=table,
        cites=(PAPER, *corpus_cites(origin.corpus.name)),
    )

"""Show the parts of the Overview page that come from records: the headline, and what did not come out."""

from __future__ import annotations

import streamlit as st

from mesm.estimate import Estimate, counted, decimal_text
from mesm.records.base import Record
from mesm.records.evaluation import ScoredModel
from mesm.records.facs import FacsStudy
from mesm.records.faithfulness import Faithfulness
from mesm.studies.ablation.conclusions import conclusions, size_words
from mesm.studies.facs.chart_data import MAP_WORDS, layer_series
from mesm.studies.facs.tables import emotion_sentences
from mesm.studies.faithfulness.tables import mask_sentences
from mesm.studies.guidance.tables import fair_null, same_budget, setup_words
from mesm.studies.sweep.chart_data import find_dense_evaluation
from mesm.ui import layout, models
from mesm.ui.corpora import OpenCorpus
from mesm.ui.facs.facs_records import find_record
from mesm.ui.models import Model
from mesm.ui.record_cache import records

#: Layer of the lift beside the scores, from 0.
_LAYER = 1
#: Rows of an ablation whose conclusion concerns what the attention is worth.
_AWKWARD = ("mesm-TAV", "query-none", "attention-random")


def headline_record(model: Model, opened: OpenCorpus) -> ScoredModel | None:
    """Return the mean over the seeds that the checkpoint is one of, else its own evaluation; None without either."""
    seeds = records().first("seeds", checkpoint_sha256=model.facts.sha256, corpus=opened.corpus.id)
    return seeds.data if seeds is not None else models.find_evaluation(model, opened)


def show_headline(model: Model, opened: OpenCorpus) -> None:
    """Show the scores in three numbers, each with its unit, its spread and the score without a model."""
    data = headline_record(model, opened)
    if data is None:
        return
    st.markdown("##### Scores and cost")
    left, middle, right = st.columns(3, gap="medium")
    with left:
        st.metric(
            "Weighted accuracy, chance 50 %", Estimate(data.average.wacc).words(1, " %"), help="Mean over the emotions."
        )
        st.caption(_score_caption(model, data, opened))
    with middle:
        ratio = data.macs_ratio
        st.metric("Work, share of FE2E's", "none" if ratio is None else decimal_text(ratio, 2))
        at = f"{layout.plain(model.facts.name)} at p = {data.top_p:g}" if data.top_p is not None else "every site"
        st.caption(f"Multiply-adds of convolutions and attention; {at}")
    study = find_record("facs", model, opened).data if model.facts.has_attention else None
    lifts = layer_series(study, "active").series.get(MAP_WORDS["checkpoint"]) if study is not None else None
    if study is not None and lifts:
        with right:
            _show_lift(study, lifts[_LAYER])


def _score_caption(model: Model, data: ScoredModel, opened: OpenCorpus) -> str:
    parts = [f"mean of {data.seeds} seeds" if data.seeds > 1 else "one seed"]
    if data.seeds > 1 and (own := models.find_evaluation(model, opened)) is not None and own.average.wacc is not None:
        parts[0] += f", of which this checkpoint has {decimal_text(own.average.wacc, 1)} %"
    dense = _dense_beside(data, opened)
    if dense is not None and dense.data.average.wacc is not None and dense.data is not data:
        parts.append(f"{layout.plain(dense.provenance.checkpoint)}: {decimal_text(dense.data.average.wacc, 1)} %")
    if (interval := data.interval.get("wacc")) is not None:
        parts.append(f"95 % interval {interval.words()}")
    parts.append(
        f"{counted(data.clips, 'clip')} of {counted(data.speakers, 'speaker')} it was not trained on, {data.split} split"
    )
    return "; ".join(parts)


def _dense_beside(data: ScoredModel, opened: OpenCorpus) -> Record[ScoredModel] | None:
    """Return FE2E on the same clips with as many seeds; None where there is none."""
    if data.seeds == 1:
        return find_dense_evaluation(records().find("evaluate"), opened.corpus.id, data.split, data.clips)
    for record in records().find("seeds", corpus=opened.corpus.id):
        other: ScoredModel = record.data
        same = (other.split, other.clips, other.seeds) == (data.split, data.clips, data.seeds)
        if same and other.top_p is None and other.macs_ratio is not None:
            return record
    return None


def _show_lift(study: FacsStudy, lift: Estimate) -> None:
    if lift.value is None:
        return
    st.metric("Kept on active action units", f"{decimal_text(lift.value, 1)} × chance")
    centre = [
        cell[_LAYER].centre_bias.value
        for cell in study.maps["checkpoint"].kept.codebooks[study.codebook].values()
        if cell is not None and cell[_LAYER].centre_bias.value is not None
    ]
    interval = (
        "" if lift.low is None or lift.high is None else f"95 % interval {lift.words().partition(' (')[2][:-1]}; "
    )
    mean = decimal_text(sum(value or 0.0 for value in centre) / len(centre), 1) if centre else ""
    bias = f"the mean map of other clips alone reaches {mean} on a codebook's units; " if mean else ""
    supervised = "supervised with their regions; " if study.supervision.regions else ""
    st.caption(f"{interval}second layer of the face; {supervised}{bias}see FACS")


def awkward_sentences(model: Model, opened: OpenCorpus) -> list[str]:
    """Return the claims that the records of this checkpoint and corpus do not confirm, a sentence each."""
    lines = []
    ablation = records().first("ablation", corpus=opened.corpus.id)
    if ablation is not None:
        sentences = conclusions(ablation.data)
        words = [sentences[name] for name in _AWKWARD if name in sentences]
        lines += [f"{line[:-1]}, in the ablation." for line in words]
    guidance = records().first("guidance", corpus=opened.corpus.id)
    if guidance is not None:
        lines += [line for line in (same_budget(guidance.data), fair_null(guidance.data)) if line is not None]
    comparisons = [record.data for record in records().find("compare", corpus=opened.corpus.id)]
    of_seeds = [data for data in comparisons if data.first.name == model.facts.name and data.first.runs > 1]
    lines += [sentence for data in of_seeds if (sentence := data.not_above()) is not None]
    if not model.facts.has_attention:
        return lines
    faithfulness: Faithfulness | None = find_record("faithfulness", model, opened).data
    if faithfulness is not None:
        lines += [sentence for fine, sentence in mask_sentences(faithfulness) if not fine]
    study: FacsStudy | None = find_record("facs", model, opened).data
    if study is not None:
        lines += [line for line in emotion_sentences(study) if "no more specific" in line]
    return lines


def show_awkward(model: Model, opened: OpenCorpus) -> None:
    """Show the claims that did not come out; nothing where every record confirms."""
    lines = awkward_sentences(model, opened)
    if lines:
        st.markdown("##### What did not come out")
        st.markdown("\n".join(f"- {layout.plain(line[0].upper() + line[1:])}" for line in lines))
        sizes = [f"Ablation: {size_words(r.data)}." for r in records().find("ablation", corpus=opened.corpus.id)[:1]]
        sizes += [
            f"FE2E after as many epochs: {setup_words(r.data)}."
            for r in records().find("guidance", corpus=opened.corpus.id)[:1]
        ]
        st.caption(layout.plain(" ".join(sizes)))

"""Show the parts of the FACS page: agreement with a codebook, average faces, controls, statements, leak and faithfulness."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mesm.estimate import counted, decimal_text
from mesm.records.base import Record
from mesm.records.canonical import CanonicalFaces
from mesm.records.facs import FacsStudy
from mesm.records.faithfulness import Faithfulness
from mesm.records.guidance import Guidance
from mesm.studies.facs import exports
from mesm.studies.facs.chart_data import (
    AGAINST,
    CONTROLS,
    KIND_WORDS,
    MAP_WORDS,
    HeatMap,
    face_grid,
    heat_map,
    layer_names,
    layer_series,
    view_words,
)
from mesm.studies.facs.codebooks import CODEBOOKS, COUNTER_VIEW, COUNTER_VIEW_SOURCE
from mesm.studies.facs.screen import chart_faces, chart_heat_map, chart_layers
from mesm.studies.facs.statements import UNMEASURED, statements
from mesm.studies.facs.tables import emotion_sentences, statement_table, supervision_notes
from mesm.studies.facs.targets import missing_text_effect
from mesm.studies.faithfulness.exports import faithfulness_export
from mesm.studies.faithfulness.tables import leak_sentence, mask_sentences, sufficient_p_sentence
from mesm.studies.guidance.tables import fair_null, guidance_export
from mesm.ui import export_menu, layout, state, tables
from mesm.ui.facs.facs_records import RecordLookup

#: View of the average faces that the page opens on.
OWN_MINUS_OTHERS = "others"
#: Section of the page -> its name on the screen.
SECTIONS = {
    "codebook": "agreement with a codebook",
    "faces": "average faces",
    "controls": "untrained and unsupervised attention",
    "statements": "the paper's statements",
    "tests": "faithfulness tests",
}
#: Layers of a table in which nothing was measured: the paper's model.
_LAYERS = 3


def show_counter_view() -> None:
    """Show the case against inferring emotions from faces, before anything else."""
    st.info(COUNTER_VIEW, icon=":material/balance:")
    st.caption(COUNTER_VIEW_SOURCE)


def pick_layer(key: str, names: Sequence[str]) -> int:
    """Return an attention layer, from 0; the second by default."""
    return names.index(layout.choose("Layer", names, key, default=names[min(1, len(names) - 1)]))


def show_heat_map(facs: RecordLookup[FacsStudy]) -> None:
    """Show the heat map with its pickers."""
    st.subheader("Agreement with a codebook")
    if facs.record is None:
        layout.empty("Nothing was measured.", facs.remedy)
        return
    study = facs.record.data
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = list(CODEBOOKS)
        first = names.index(study.codebook) if study.codebook in names else 0
        codebook = CODEBOOKS[
            st.selectbox(
                "Codebook", names, first, format_func=lambda n: CODEBOOKS[n].title, key="codebook", bind="query-params",
                width=200,
            )
        ]  # fmt: skip
        layer = pick_layer("facs-layer", layer_names(study.layers))
        kind = layout.choose("Measure", list(KIND_WORDS), "of", words=KIND_WORDS)
        maps = [name for name in MAP_WORDS if name in study.maps]
        map_name = st.selectbox(
            "Attention", maps, format_func=MAP_WORDS.__getitem__, key="whose", bind="query-params", width=240
        )
        against = layout.choose("Cells", list(AGAINST), "against", words=AGAINST)
    heat = heat_map(study, layer, codebook, map_name=map_name, kind=kind, against=against)
    layout.wide_chart(chart_heat_map(heat, state.dark()), "facs-heat", heat_alt(heat))
    st.caption(
        f"{exports.heat_map_caption(study, heat, codebook, layer, map_name, kind)} Corpus "
        f"{facs.record.provenance.corpus.name}."
    )
    _note_supervision(supervision_notes(study, map_name))
    if map_name == "checkpoint" and (missing_effect := missing_text_effect(study)) is not None:
        st.caption(f":material/info: {missing_effect}")
    missing = [e for e in study.emotions if e not in codebook.units]
    if missing:
        st.caption(f":material/info: No prototype in this codebook: {', '.join(missing)}.")
    st.caption(f"{codebook.title}: {codebook.citation}. {codebook.note}")
    export_menu.offer(exports.heat_map_export(facs.record, codebook, layer, map_name, kind, against), "facs-heat")
    st.markdown("##### Is each emotion's attention its own?")
    st.markdown(
        "\n".join(f"- {layout.plain(line)}" for line in emotion_sentences(study, map_name, kind, codebook.name))
    )
    with st.expander("Lift beside both baselines"):
        export_menu.tabled(exports.baselines_export(facs.record, codebook, map_name, kind), "facs-baselines")


def heat_alt(heat: HeatMap) -> str:
    """Return the heat map in words."""
    parts = []
    for row in heat.rows:
        best = max((c for c in row if c.value is not None), key=lambda c: c.value or 0, default=None)
        if best is not None:
            parts.append(f"{best.emotion} most on {best.region} ({best.units}), {best.text}")
    return f"Heat map, {AGAINST[heat.against]}: {'; '.join(parts) or 'nothing measured'}."


def _note_supervision(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        st.caption(f":material/school: {sentence}")


def show_leak(faithfulness: RecordLookup[Faithfulness], facs: RecordLookup[FacsStudy]) -> None:
    """Show the leak tests in one line, from the record of the study that tested more clips."""
    studies = [lookup.data for lookup in (facs, faithfulness) if lookup.data is not None]
    if not studies:
        st.caption(f":material/info: The leak of the text through the mask was not measured. {faithfulness.remedy}")
        return
    study = max(studies, key=lambda data: data.shuffled_text.clips)
    st.caption(f":material/shield: {leak_sentence(study.shuffled_text, study.neutral_text)}")


def show_faces(canonical: RecordLookup[CanonicalFaces]) -> None:
    """Show one template face per emotion, with pickers for the layer and the view."""
    st.subheader("On the average face")
    if canonical.record is None:
        layout.empty("Nothing was averaged.", canonical.remedy)
        return
    faces = canonical.record.data
    words = view_words(faces)
    first = OWN_MINUS_OTHERS if OWN_MINUS_OTHERS in faces.differences else next(iter(words))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        view = st.selectbox(
            "Shown",
            list(words),
            list(words).index(first),
            format_func=words.__getitem__,
            key="faces-view",
            bind="query-params",
            width=420,
        )
        layer = pick_layer("faces-layer", layer_names(faces.layers))
    grid = face_grid(faces, view, [layer])
    alt = f"An outlined face per emotion, layer {layer + 1}: {words[view]}."
    layout.chart(chart_faces(grid, state.dark()), "facs-faces", alt)
    reading = (
        f"Full colour where the difference is significant (sign flips over speakers, false-discovery rate "
        f"{decimal_text(100 * faces.alpha, 0)} % over the cells of a face); blue is less, orange more."
        if grid.signed
        else "Yellow is more."
    )
    st.caption(
        f"Every face is moved onto one template by its five points and averaged, each speaker once; no participant is "
        f"shown. {reading} {counted(faces.frames, 'face')} of {counted(faces.speakers, 'speaker')}; emotion: {faces.emotion_from}."
    )
    if faces.supervision is not None:
        _note_supervision(faces.supervision.sentences)
    export_menu.offer(exports.faces_export(canonical.record, view, layer), "facs-faces")


def show_controls(facs: RecordLookup[FacsStudy]) -> None:
    """Show the checkpoint against re-initialised attention, layer after layer, and the targets of the attention."""
    st.subheader("Against untrained attention")
    if facs.record is None:
        layout.empty("Nothing was measured.", facs.remedy)
        return
    study = facs.record.data
    for column, control in zip(st.columns(2, gap="medium"), CONTROLS, strict=True):
        series = layer_series(study, control)
        with column:
            st.markdown(f"##### {series.title}")
            if not series.series:
                st.caption("Not measured: no AU ground truth for these faces.")
                continue
            words = "; ".join(f"{name}: {', '.join(e.words() for e in row)}" for name, row in series.series.items())
            alt = f"{series.axis}, layers {', '.join(series.layers)}: {words}"
            layout.chart(chart_layers(series, state.dark()), f"control-{series.title}", alt)
            st.caption(series.conclusion())
            export_menu.offer(exports.controls_export(facs.record, control), f"facs-{control}")
    draws = ""
    if study.control is not None:
        over = " / ".join(e.words() for e in study.control.crop)
        draws = (
            f" The charts show one draw of it; over {study.control.inits} draws its lift on the active units is {over}."
        )
    st.caption(
        "Kept sites, 95 % intervals over speakers; 1 is chance. Re-initialised attention has new initial weights on the "
        f"trained stems, with the checkpoint's gate or with the paper's hard gate.{draws}"
    )
    with st.expander("Targets of this attention"):
        export_menu.tabled(exports.targets_export(facs.record), "targets")


def show_fair_null(guidance: Record[Guidance] | None) -> None:
    """Show the checkpoint that was trained without attention supervision, beside those with it."""
    st.subheader("Against attention trained without supervision")
    if guidance is None:
        layout.empty(
            "No checkpoint was trained without it.",
            "Make the record with: python -m benchmarks.guidance --record FOLDER.",
        )
        return
    sentence = fair_null(guidance.data)
    if sentence is not None:
        st.markdown(sentence)
    export_menu.tabled(guidance_export(guidance), "guidance", "known in training")


def show_statements(facs: RecordLookup[FacsStudy], faithfulness: RecordLookup[Faithfulness]) -> None:
    """Show the table of statements."""
    st.subheader("The paper's statements about its attention")
    rows = statements(facs.data, faithfulness.data)
    layers = facs.data.layers if facs.data is not None else _LAYERS
    table = statement_table(rows, layers)
    st.table(  # not a data frame: words wrap where the page is narrow, and no column is hidden
        [dict(zip(table.columns, map(_wrapped, row.cells), strict=True)) for row in table.rows],
        hide_index=True,
        border="horizontal",
        alt="The paper's statements with their measurements and verdicts: "
        + "; ".join(f"{row.about}: {row.statement}: {row.verdict}" for row in rows),
    )
    st.caption(
        "Dai et al. 2021, section 6.2. Attended: supported if the lift's interval lies above 1 and above the other emotions' "
        "mean lift in most layers; not specific if above 1 only, since every face is attended there; not supported if below 1 "
        "in most. Sometimes missed: supported if above 1 in no layer, not supported if in most. Control: the verdict of "
        "re-initialised attention under the same rule; a statement that it supports too was not learnt. Numbers: lift of kept "
        "sites over the region's share of the crop; for the voice the loudest tenth of the mel values, kept over active "
        "sites, and the share of the layer's map that is kept."
    )
    measured = [lookup.record for lookup in (facs, faithfulness) if lookup.record is not None]
    if measured:
        export_menu.offer(exports.statements_export(measured, rows, layers), "statements")
    for lookup in (facs, faithfulness):
        if lookup.record is None and any(row.verdict == UNMEASURED for row in rows):
            st.caption(f":material/info: {lookup.remedy}")


def _wrapped(cell: object) -> str:
    text = tables.unbroken(str(cell))
    return f"\\{text}" if text.startswith("+") else text  # else Markdown makes it an item of a list


def show_tests(lookup: RecordLookup[Faithfulness]) -> None:
    """Show every test of the faithfulness record."""
    st.subheader("Do the kept sites explain the scores?")
    if lookup.record is None:
        layout.empty("The faithfulness tests were not run.", lookup.remedy)
        return
    record, neutral = lookup.record, lookup.record.data.neutral_text
    st.markdown("##### Leak of the text through the mask")
    export_menu.tabled(faithfulness_export(record, "leak"), "leak")
    if neutral.sources:
        export_menu.tabled(faithfulness_export(record, "neutral"), "neutral")
    else:
        st.caption(f"Emotive texts on neutral faces were not tested: {neutral.left_out}.")
    st.markdown("##### Scores from parts of the sites")
    st.markdown("\n".join(f"- {layout.plain(sentence)}" for _, sentence in mask_sentences(record.data)))
    export_menu.tabled(faithfulness_export(record, "keep-only"), "keep-only")
    export_menu.tabled(faithfulness_export(record, "order"), "order")
    st.markdown("##### Trained attention against a control")
    export_menu.tabled(faithfulness_export(record, "redrawn"), "redrawn")
    st.markdown(f"**Smallest sufficient p.** {sufficient_p_sentence(record.data.sufficient_p)}")

"""Make the tables of the FACS study: for the command line, the app and the exports."""

from __future__ import annotations

from collections.abc import Sequence

from mesm.estimate import Estimate, counted, decimal_text
from mesm.figures.tables import Cell, Row, Table
from mesm.records.facs import CodebookAgreement, FacsStudy
from mesm.statistics import few_speakers
from mesm.studies.facs.chart_data import ALPHA, MAP_WORDS, OTHERS, HeatMap, LayerSeries, layer_names
from mesm.studies.facs.statements import REFUTED, SUPPORTED, UNDECIDED, UNMEASURED, UNSPECIFIC, Statement
from mesm.studies.facs.targets import targets

#: Verdict on a statement -> sign before it in a table, so that grey print distinguishes them.
VERDICT_SIGNS: dict[str, str] = {SUPPORTED: "+", REFUTED: "−", UNSPECIFIC: "=", UNDECIDED: "·", UNMEASURED: ""}
#: Cell of what does not exist or was not measured.
NO_VALUE = "–"
#: Whether a target was reached -> verdict.
REACHED: dict[bool | None, str] = {True: "reached", False: "not reached", None: UNMEASURED}
#: Note under a figure of a control.
_CONTROL = (
    "This attention was re-initialised, not trained: no supervision reached it; the features below it were trained."
)


def supervision_notes(study: FacsStudy, map_name: str = "checkpoint") -> tuple[str, ...]:
    """Return the sentences on attention supervision that belong under a figure of one of the study's maps."""
    return study.supervision.sentences if map_name == "checkpoint" else (_CONTROL,)


def counts_line(study: FacsStudy) -> str:
    """Return the sample of a figure in one sentence."""
    counts = study.counts
    return (
        f"{counted(counts.frames_used, 'face')} of {counted(counts.speakers, 'speaker')}, p = {study.top_p:g}; "
        f"{counted(counts.frames_without_face, 'frame')} without a face left out."
        + "".join(f" {line.capitalize()}." for line in few_speakers(counts.speakers))
    )


def heat_map_table(heat: HeatMap) -> Table:
    """Return the cells of a heat map, one line each."""
    contrast = heat.against == OTHERS
    rows = []
    for c in (cell for row in heat.rows for cell in row):
        beside = (c.others, c.value) if contrast else ()
        rows.append(
            Row((c.emotion, c.region, c.units, c.lift, c.low, c.high, c.q, *beside, "listed" if c.listed else ""))
        )
    more = ("other emotions", "difference") if contrast else ()
    names = ("emotion", "region", "action units", "lift", "95 % from", "to", "q", *more, "codebook")
    return Table(names, tuple(rows), digits=3)


def series_table(series: LayerSeries) -> Table:
    """Return estimates of several attentions, one line per layer."""
    rows = tuple(
        Row((name, layer, e.value, e.low, e.high))
        for name, estimates in series.series.items()
        for layer, e in zip(series.layers, estimates, strict=True)
    )
    return Table(("attention", "layer", series.axis, "95 % from", "to"), rows, digits=3)


def active_table(study: FacsStudy) -> Table | None:
    """Return the kept sites' lift on the truly active units under three chances; None where these are not known."""
    measures = {"lift": "crop", "lift_sites": "active sites", "lift_head": "head"}
    rows = []
    for name, agreement in study.maps.items():
        if agreement.kept.active is None:
            return None
        cells = [getattr(layer, measure).value for measure in measures for layer in agreement.kept.active]
        rows.append(Row((MAP_WORDS[name], *cells)))
    if study.control is not None:
        words = f"mean of {study.control.inits} re-initialisations"
        lifts = [
            e.value for part in (study.control.crop, None, study.control.head) for e in part or (_NONE,) * study.layers
        ]
        rows.append(Row((words, *lifts)))
    return _by_layer("lift on the active units, chance over the", tuple(measures.values()), study.layers, rows)


def codebook_table(
    study: FacsStudy, map_name: str = "checkpoint", kind: str = "kept", codebook: str | None = None
) -> Table:
    """Return the lift on a codebook's regions (the study's by default) with its baselines: shuffled labels, centre bias.

    A star marks q < 0.05 against chance, a plus q < 0.05 against shuffled labels.
    """
    name = codebook or study.codebook
    book = study.codebooks[name]
    rows = []
    for emotion, layers in study.maps[map_name].of(kind).codebooks[name].items():
        cells: list[Cell] = ["no prototype", *[None] * (3 * study.layers)]
        if layers is not None:
            cells = ["+".join(str(n) for n in book.units[emotion])]
            cells += [_marked(layer) for layer in layers]
            cells += [layer.shuffled_labels for layer in layers] + [layer.centre_bias.value for layer in layers]
        rows.append(Row((emotion, *cells)))
    heads = ("lift", "shuffled", "centre bias")
    names = layer_names(study.layers)
    return Table(
        ("emotion", "AU", *names * len(heads)),
        tuple(rows),
        digits=2,
        heads=("", "", *(head for head in heads for _ in names)),
    )


def emotion_sentences(
    study: FacsStudy, map_name: str = "checkpoint", kind: str = "kept", codebook: str | None = None
) -> tuple[str, ...]:
    """Return one sentence per emotion: whether the lift on its units exceeds what shuffled labels give, with all baselines."""
    name = codebook or study.codebook
    lines = []
    for emotion, layers in study.maps[map_name].of(kind).codebooks[name].items():
        known = [cell for cell in layers or () if cell.lift.value is not None]
        if layers is None or len(known) < len(layers):
            lines.append(f"{emotion}: {'no prototype in this codebook' if layers is None else 'not measured'}.")
            continue
        names = layer_names(len(layers))
        beyond = [
            n for n, cell in zip(names, layers, strict=True) if cell.q_labels is not None and cell.q_labels < ALPHA
        ]
        verdict = f"more specific than chance in {', '.join(beyond)}" if beyond else "no more specific than chance"
        lifts, shuffled, centre = (
            " / ".join(decimal_text(value or 0.0, 2) for value in values)
            for values in (
                [cell.lift.value for cell in layers],
                [cell.shuffled_labels for cell in layers],
                [cell.centre_bias.value for cell in layers],
            )
        )
        lines.append(f"{emotion}: {verdict} (lift {lifts}; shuffled labels {shuffled}; centre bias {centre}).")
    return tuple(lines)


def voice_table(study: FacsStudy) -> Table | None:
    """Return the kept sites' lift on the loudest tenth of the mel; None without a voice."""
    if study.voice is None:
        return None
    measures = {"lift": "chunk", "lift_spoken": "spoken columns"}
    rows = [
        Row((MAP_WORDS[name], *(getattr(layer, measure).value for measure in measures for layer in voice.kept)))
        for name, voice in study.voice.maps.items()
    ]
    layers = len(study.voice.maps["checkpoint"].kept)
    return _by_layer("lift on the loud mel values, chance over the", tuple(measures.values()), layers, rows)


def targets_table(study: FacsStudy) -> Table:
    """Return the targets of the attention with what was measured."""
    rows = tuple(Row((t.name, t.criterion, t.measured, REACHED[t.reached])) for t in targets(study))
    return Table(("target", "criterion", "measured", "verdict"), rows)


def statement_table(statements: Sequence[Statement], layers: int) -> Table:
    """Return the paper's statements with their verdicts; a statement about several regions takes several lines."""
    rows = []
    for row in statements:
        verdicts = [f"{VERDICT_SIGNS[v]} {v}".strip() if v else NO_VALUE for v in (row.verdict, row.control)]
        for region, estimates in (row.series or {"": ()}).items():
            # Short intervals: three layers stand in one column.
            measured = " / ".join(e.words().replace(" to ", "–") for e in estimates)
            rows.append(Row((row.about, row.statement, region or NO_VALUE, measured or NO_VALUE, *verdicts)))
    return Table(("about", "statement", "region", " / ".join(layer_names(layers)), "verdict", "control"), tuple(rows))


def summary(study: FacsStudy) -> str:
    """Return the study for a terminal: its sample, every table, the targets."""
    counts = study.counts
    active, voice = active_table(study), voice_table(study)
    title = study.codebooks[study.codebook].title
    parts = [
        f"{counted(counts.clips, 'clip')}, {counted(counts.speakers, 'speaker')}, "
        f"{counts.frames_used} of {counted(counts.frames, 'frame')} "
        f"({counts.frames_without_face} without a face left out), top_p {study.top_p}, regions by {study.regions}",
        *few_speakers(counts.speakers),
        *supervision_notes(study),
        "",
        "No action units are known of these faces: only agreement with codebooks."
        if active is None
        else active.to_text(),
    ]
    if study.best_layer is not None:
        layer, lift = study.best_layer
        parts.append(f"best layer: {layer}, {lift.words()}")
    parts += [
        "",
        f"agreement with a codebook: {title}; lift of kept sites; * q < 0.05 against chance, + against shuffled labels",
        codebook_table(study).to_text(),
        "",
    ]
    if voice is not None:
        parts += [voice.to_text(), ""]
    return "\n".join([*parts, targets_table(study).to_text()])


_NONE = Estimate(None)


def _marked(agreement: CodebookAgreement) -> str | None:
    if agreement.lift.value is None:
        return None
    marks = ((agreement.lift.q, "*"), (agreement.q_labels, "+"))
    return decimal_text(agreement.lift.value, 2) + "".join(mark for q, mark in marks if q is not None and q < ALPHA)


def _by_layer(name: str, heads: Sequence[str], layers: int, rows: Sequence[Row]) -> Table:
    """Return a table with the layers under every head."""
    names = layer_names(layers)
    return Table(
        (name, *names * len(heads)), tuple(rows), digits=2, heads=("", *(head for head in heads for _ in names))
    )

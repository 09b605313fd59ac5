"""Learning curves on the screen: what a run's metrics.jsonl says, epoch by epoch. `static/learning.py` prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from mesm.figures.page import COLOURS
from mesm.figures.style import theme
from mesm.studies.sweep.screen import DARK_COLOURS, axes_layout

#: Run -> its epochs, as `mesm.training.run_folder.read_log` gives them.
Runs = Mapping[str, Sequence[Mapping[str, Any]]]
LEARNING_PX = 320
#: Key of an epoch -> its words; the first stands in a panel of its own, in its own unit.
LOSS = ("loss", "training loss")
SCORES: tuple[tuple[str, str], ...] = (("valid_f1", "F1"), ("valid_wacc", "WAcc"), ("valid_auc", "AUC"))
DASHES = ("solid", "dash", "dot")


def curve(rows: Sequence[Mapping[str, Any]], key: str) -> tuple[list[int], list[float]]:
    """Epochs, counted from 1, and values; epochs without the value are left out."""
    known = [(int(row["epoch"]) + 1, float(row[key])) for row in rows if row.get(key) is not None]
    return [x for x, _ in known], [y for _, y in known]


def best_epoch(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The epoch, counted from 1, with the best valid F1; None before the first."""
    epochs, f1 = curve(rows, "valid_f1")
    return epochs[f1.index(max(f1))] if f1 else None


def chart_learning_curves(runs: Runs, dark: bool = False) -> go.Figure:
    """Left the training loss, right the scores of the validation split; a colour per run, the best F1 ringed.

    The legend names the runs by their colour and the scores by their dashes, once each.
    """
    traces: list[dict[str, Any]] = []
    palette = DARK_COLOURS if dark else COLOURS
    for number, (name, rows) in enumerate(runs.items()):
        colour = palette[number % len(palette)]
        shown = {"type": "scatter", "mode": "lines+markers"}
        x, y = curve(rows, LOSS[0])
        traces.append(
            shown
            | {"x": x, "y": y, "name": name, "line": {"color": colour, "width": 2.5},
               "hovertemplate": f"{name}<br>epoch %{{x}}: loss %{{y:.3f}}<extra></extra>"}
        )  # fmt: skip
        for (key, words), dash in zip(SCORES, DASHES, strict=True):
            x, y = curve(rows, key)
            best = best_epoch(rows) if key == "valid_f1" else None
            traces.append(
                shown
                | {"x": x, "y": y, "name": f"{name}: {words}", "xaxis": "x2", "yaxis": "y2",
                   "showlegend": False,
                   "line": {"color": colour, "width": 2.5, "dash": dash},
                   "marker": {"size": [12 if epoch == best else 6 for epoch in x],
                              "symbol": ["circle-open-dot" if epoch == best else "circle" for epoch in x]},
                   "hovertemplate": f"{name}<br>epoch %{{x}}: {words} %{{y:.1f}}<extra></extra>"}
            )  # fmt: skip
    traces += [
        {"type": "scatter", "mode": "lines", "x": [None], "y": [None], "name": words,
         "line": {"color": theme(dark).ink, "width": 2, "dash": dash}}
        for (_, words), dash in zip(SCORES, DASHES, strict=True)
    ]  # fmt: skip
    layout = axes_layout(LEARNING_PX, dark, "epoch", LOSS[1])
    whole = {"tickformat": "d"}
    layout["xaxis2"] = {**layout["xaxis"], **whole, "domain": [0.55, 1], "anchor": "y2"}
    title = layout["yaxis"]["title"] | {"text": "valid, %"}
    layout["yaxis2"] = {**layout["yaxis"], "anchor": "x2", "title": title}
    layout["xaxis"] = {**layout["xaxis"], **whole, "domain": [0, 0.45]}
    return go.Figure(traces, layout)

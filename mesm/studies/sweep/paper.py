"""What top-p buys, where the work goes, how it differs between utterances: for paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mesm.figures.page import COLOURS, DASHES, FAINT, HATCHES, INK, MARKERS, guide, new_figure
from mesm.figures.style import MODALITY_SHADES
from mesm.studies.sweep.chart_data import AXES, DENSE, REPORTED, Band, Curve, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Wider than this there is room for the legend beside the axes.
_WIDE_IN = 5.0


def plot_frontier(curves: Sequence[Curve], view: View, width: float) -> Figure:
    """A line with its 95 % band per sweep, FE2E as a star, the paper's reported curve in grey; elbows ringed."""
    wide = width > _WIDE_IN
    figure = new_figure(width, 2.3 if wide else 2.2 + 0.13 * len(curves))
    axes = figure.add_subplot()
    guide(axes, "both")
    number = 0
    for curve in curves:
        _draw_curve(axes, curve, number)
        number += curve.kind != REPORTED
    axes.set(xlabel=_broken(AXES[view.axis], wide), ylabel=_broken(view.y_title, wide))
    if view.log:
        axes.set_xscale("log")
    if wide:
        figure.legend(loc="outside right center")
    else:
        figure.legend(loc="outside upper left")
    return figure


def _broken(title: str, wide: bool) -> str:
    return title if wide else title.replace(", ", ",\n")


def _draw_curve(axes: Axes, curve: Curve, number: int) -> None:
    x, y = [p.x for p in curve.points], [p.y for p in curve.points]
    colour = COLOURS[number % len(COLOURS)]
    if curve.kind == REPORTED:
        axes.plot(x, y, color=FAINT, linestyle=(0, (1, 1.5)), marker="x", markersize=3, linewidth=0.9,
                  label=curve.name)  # fmt: skip
        return
    if curve.kind == DENSE:
        axes.errorbar(x, y, yerr=curve.reach, color=INK, marker="*", markersize=8, linewidth=0.8, capsize=2,
                      linestyle="none", label=curve.name, zorder=4)  # fmt: skip
        return
    if curve.in_order:
        axes.fill_between(x, [p.low for p in curve.points], [p.high for p in curve.points], color=colour, alpha=0.16,
                          linewidth=0)  # fmt: skip
    else:
        axes.errorbar(x, y, yerr=curve.reach, color=colour, linestyle="none", linewidth=0.8, capsize=1.5)
    axes.plot(x, y, color=colour, linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number % len(MARKERS)],
              label=curve.name, zorder=3)  # fmt: skip
    for p in curve.points:
        if p.elbow:
            axes.plot(p.x, p.y, marker="o", markersize=8, fillstyle="none", color=INK, markeredgewidth=0.9, zorder=5)
            axes.annotate(f"elbow, p = {p.top_p:g}", (p.x, p.y), (0, 7), textcoords="offset points", fontsize=6.5, ha="center",
                          bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}, zorder=6)  # fmt: skip


def plot_layers(top_ps: Sequence[float], bands: Sequence[Band], unit: str, width: float) -> Figure:
    """Stacked bars: the work of each part of each modality at every top-p."""
    from matplotlib.patches import Patch

    wide = width > _WIDE_IN
    figure = new_figure(width, 2.4 if wide else 3.0)
    axes = figure.add_subplot()
    guide(axes)
    bottom = [0.0] * len(top_ps)
    place: dict[str, int] = {}
    drawn: list[Patch] = []
    for band in bands:
        shade = place[band.modality] = place.get(band.modality, -1) + 1
        shades = MODALITY_SHADES[band.modality]
        looks: dict[str, Any] = {
            "facecolor": shades[shade % len(shades)],
            "edgecolor": INK,
            "linewidth": 0.3,
            "hatch": HATCHES[1] if band.modality == "acoustic" else "",
        }
        axes.bar(range(len(top_ps)), band.amounts, bottom=bottom, width=0.74, **looks)
        drawn.append(Patch(label=band.name, **looks))
        bottom = [b + a for b, a in zip(bottom, band.amounts, strict=True)]
    axes.set_xticks(range(len(top_ps)), [f"{p:g}" for p in top_ps])
    axes.set(xlabel="top-p", ylabel=f"{'GMAC' if unit == 'gmac' else 'GFLOP'} per clip")
    shown = [patch for patch, band in zip(drawn, bands, strict=True) if max(band.amounts) > 0.002 * max(bottom)][::-1]
    if wide:
        figure.legend(handles=shown, loc="outside right center")
    else:
        figure.legend(handles=shown, loc="outside lower left", ncols=2, handlelength=1.4, columnspacing=1)
    return figure


def plot_spread(spread: Sequence[tuple[float, Sequence[float]]], width: float) -> Figure:
    """Every utterance's share of FE2E's work at every top-p: a box for the middle half, whiskers for 95 %."""
    figure = new_figure(width, 2.1)
    axes = figure.add_subplot()
    guide(axes)
    axes.boxplot(
        [list(shares) for _, shares in spread],
        whis=(2.5, 97.5),
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#CFE3F1", "linewidth": 0.7},
        medianprops={"color": "#D55E00", "linewidth": 1.3},
        whiskerprops={"linewidth": 0.7},
        capprops={"linewidth": 0.7},
        flierprops={"marker": ".", "markersize": 2, "markeredgecolor": FAINT},
    )
    axes.set_xticks(range(1, len(spread) + 1), [f"{p:g}" for p, _ in spread])
    axes.set(xlabel="top-p", ylabel="work per utterance,\nshare of FE2E's", ylim=(0, None))
    return figure

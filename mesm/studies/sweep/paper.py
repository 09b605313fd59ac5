"""Draw the charts of a sweep in print with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesm.figures.page import FAINT, HATCHES, INK, guide, new_figure
from mesm.studies.sweep.chart_data import DENSE, REPORTED, ChartLine, ClipCostChart, LayersChart, SweepChart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Wider than this there is room for the legend beside the axes.
_WIDE_IN = 5.0


def plot_sweep(chart: SweepChart, width: float) -> Figure:
    """Draw a line with its 95 % band per sweep, FE2E as a star, the paper's points faint, elbows ringed."""
    wide = width > _WIDE_IN
    figure = new_figure(width, 2.3 if wide else 2.2 + 0.13 * len(chart.lines))
    axes = figure.add_subplot()
    guide(axes, "both")
    for line in chart.lines:
        _plot_line(axes, line)
    axes.set(xlabel=_broken(chart.x_title, wide), ylabel=_broken(chart.y_title, wide))
    if chart.view.log:
        from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(loc="outside right center" if wide else "outside upper left")
    return figure


def _broken(title: str, wide: bool) -> str:
    return title if wide else title.replace(", ", ",\n")


def _plot_line(axes: Axes, line: ChartLine) -> None:
    x, y, colour = line.x, line.y, line.style.colour
    if line.kind == REPORTED:
        axes.plot(x, y, color=FAINT, linestyle=(0, (1, 1.5)), marker="x", markersize=3, linewidth=0.9,
                  label=line.name)  # fmt: skip
        return
    if line.kind == DENSE:
        axes.errorbar(x, y, yerr=line.error_bars, color=INK, marker="*", markersize=8, linewidth=0.8, capsize=2,
                      linestyle="none", label=line.name, zorder=4)  # fmt: skip
        return
    if line.has_band:
        axes.fill_between(x, *line.band, color=colour, alpha=0.16, linewidth=0)
    else:
        axes.errorbar(x, y, yerr=line.error_bars, color=colour, linestyle="none", linewidth=0.8, capsize=1.5)
    axes.plot(x, y, color=colour, linestyle=line.style.dashes, marker=line.style.marker, label=line.name, zorder=3)
    for p in line.points:
        if p.elbow:
            axes.plot(p.x, p.y, marker="o", markersize=8, fillstyle="none", color=INK, markeredgewidth=0.9, zorder=5)
            axes.annotate(p.elbow_label, (p.x, p.y), (0, 7), textcoords="offset points", fontsize=6.5, ha="center",
                          bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}, zorder=6)  # fmt: skip


def plot_layers(chart: LayersChart, width: float) -> Figure:
    """Draw stacked bars of the cost of each part at every top-p; voice hatched."""
    from matplotlib.patches import Patch

    wide = width > _WIDE_IN
    figure = new_figure(width, 2.4 if wide else 3.0)
    axes = figure.add_subplot()
    guide(axes)
    handles: list[Patch] = []
    for bar, bottom in zip(chart.bars, chart.bottoms, strict=True):
        style: dict[str, Any] = {
            "facecolor": bar.colour,
            "edgecolor": INK,
            "linewidth": 0.3,
            "hatch": HATCHES[1] if bar.hatched else "",
        }
        axes.bar(range(len(chart.top_ps)), bar.amounts, bottom=bottom, width=0.74, **style)
        handles += [Patch(label=bar.name, **style)] if bar.in_legend else []
    axes.set_xticks(range(len(chart.top_ps)), chart.top_ps)
    axes.set(xlabel=chart.x_title, ylabel=chart.y_title)
    if wide:
        figure.legend(handles=handles[::-1], loc="outside right center")
    else:
        figure.legend(handles=handles[::-1], loc="outside lower left", ncols=2, handlelength=1.4, columnspacing=1)
    return figure


def plot_clip_cost(chart: ClipCostChart, width: float) -> Figure:
    """Draw a box per top-p over the clips: quartiles, whiskers around 95 %, outliers as dots."""
    figure = new_figure(width, 2.1)
    axes = figure.add_subplot()
    guide(axes)
    names = ("whislo", "q1", "med", "q3", "whishi")
    axes.bxp(
        [dict(zip(names, box.marks, strict=True)) | {"fliers": list(box.outliers)} for box in chart.boxes],
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#CFE3F1", "linewidth": 0.7},
        medianprops={"color": "#D55E00", "linewidth": 1.3},
        whiskerprops={"linewidth": 0.7},
        capprops={"linewidth": 0.7},
        flierprops={"marker": ".", "markersize": 2, "markeredgecolor": FAINT},
    )
    axes.set_xticks(range(1, len(chart.boxes) + 1), [box.top_p for box in chart.boxes])
    axes.set(xlabel=chart.x_title, ylabel=_broken(chart.y_title, False), ylim=(0, None))
    return figure

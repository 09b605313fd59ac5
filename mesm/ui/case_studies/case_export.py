"""Show the export menus under the figures of one clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesm.analysis.provenance import clip_origin
from mesm.figures.privacy import default_privacy
from mesm.json_form import Json
from mesm.records.prediction import Prediction
from mesm.studies.case import exports
from mesm.studies.case.exports import Pair
from mesm.studies.case.mosaic import MosaicStyle, TimeWindow
from mesm.ui import export_menu
from mesm.ui.corpora import Case
from mesm.ui.models import Model

if TYPE_CHECKING:
    import numpy as np

    from mesm.studies.case.label_flip import FlipReport
    from mesm.studies.case.regions import Region


def offer_pictures(case: Case, model: Model, prediction: Prediction, window: TimeWindow, style: MosaicStyle) -> None:
    """Offer faces and spectrogram with the kept sites; blurred unless the corpus's licence allows publishing them."""
    origin, privacy = _origin(case, model), default_privacy(case.licence)
    export_menu.offer(exports.export_case(case.sample, prediction, window, style, origin, privacy), "case")


def offer_scores(case: Case, model: Model, prediction: Prediction) -> None:
    """Offer the scores per emotion."""
    export_menu.offer(exports.export_scores(case.sample, prediction, _origin(case, model)), "scores")


def offer_work(case: Case, model: Model, prediction: Prediction) -> None:
    """Offer the multiply-adds per stage."""
    export_menu.offer(exports.export_work(case.sample, prediction, _origin(case, model)), "work")


def offer_scores_over_p(case: Case, model: Model, report: FlipReport) -> None:
    """Offer the scores over top-p."""
    export_menu.offer(exports.export_scores_over_p(case.sample, report, _origin(case, model)), "over-p")


def offer_pair(case: Case, model: Model, pair: Pair, names: tuple[str, str], option: str) -> None:
    """Offer the scores of two predictions."""
    export_menu.offer(exports.export_pair(case.sample, pair, names, _origin(case, model), option), "pair")


def offer_difference(
    case: Case, model: Model, pair: Pair, names: tuple[str, str], option: str, view: tuple[TimeWindow, MosaicStyle]
) -> None:
    """Offer the difference of two predictions' masks."""
    origin, privacy = _origin(case, model), default_privacy(case.licence)
    export_menu.offer(exports.export_difference(case.sample, pair, names, view, origin, option, privacy), "difference")


def offer_regions(
    case: Case,
    model: Model,
    prediction: Prediction,
    regions: tuple[Sequence[Region], np.ndarray],
    outlined: Sequence[str],
    layer: int,
) -> None:
    """Offer the regions of action units over one layer's mask, and their table."""
    origin, privacy = _origin(case, model), default_privacy(case.licence)
    export_menu.offer(
        exports.export_regions(case.sample, prediction, regions, outlined, layer, origin, privacy), "regions"
    )


def show_units(case: Case, model: Model) -> None:
    """Show the table of a rendered face's action units, with its menu."""
    export_menu.tabled(exports.export_units(case.sample, _origin(case, model)), "units")


def _origin(case: Case, model: Model) -> dict[str, Json]:
    return clip_origin(model.facts, case.corpus, case.licence, case.corpus_key)

"""The menus under the figures of one clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mesm.figures.privacy import default_privacy
from mesm.records.prediction import Prediction
from mesm.studies.case import clip_exports as clip_exhibits
from mesm.studies.case import exports as exhibits
from mesm.studies.case.mosaic import Look, Strip
from mesm.ui import export_menu
from mesm.ui.corpora import Case
from mesm.ui.models import Model

if TYPE_CHECKING:
    import numpy as np

    from mesm.studies.case.label_flip import FlipReport
    from mesm.studies.case.regions import Region

Pair = tuple[Prediction, Prediction]


def offer_pictures(case: Case, model: Model, prediction: Prediction, strip: Strip, look: Look) -> None:
    """Faces and spectrogram with what is kept; blurred unless the corpus's licence gives the pictures away."""
    origin = _origin(case, model)
    privacy = default_privacy(origin["licence"])
    export_menu.offer(exhibits.case(case.sample, prediction, strip, look, origin, privacy), "case")


def offer_scores(case: Case, model: Model, prediction: Prediction) -> None:
    """Scores per emotion."""
    export_menu.offer(exhibits.scores(case.sample, prediction, _origin(case, model)), "scores")


def offer_work(case: Case, model: Model, prediction: Prediction) -> None:
    """Multiply-adds per stage."""
    export_menu.offer(exhibits.work(case.sample, prediction, _origin(case, model)), "work")


def offer_over_p(case: Case, model: Model, report: FlipReport) -> None:
    """Scores over top-p."""
    export_menu.offer(clip_exhibits.over_p(case.sample, report, _origin(case, model)), "over-p")


def offer_pair(case: Case, model: Model, answers: Pair, names: tuple[str, str], option: str) -> None:
    """Two answers' scores."""
    export_menu.offer(clip_exhibits.pair(case.sample, answers, names, _origin(case, model), option), "pair")


def offer_difference(
    case: Case, model: Model, answers: Pair, names: tuple[str, str], option: str, view: tuple[Strip, Look]
) -> None:
    """Where two answers' masks differ."""
    origin = _origin(case, model)
    privacy = default_privacy(origin["licence"])
    exhibit = clip_exhibits.difference(case.sample, answers, names, view, origin, option, privacy)
    export_menu.offer(exhibit, "difference")


def offer_regions(
    case: Case,
    model: Model,
    prediction: Prediction,
    found: tuple[Sequence[Region], np.ndarray],
    chosen: Sequence[str],
    layer: int,
) -> None:
    """Action units' regions over one layer's mask, and their table."""
    origin = _origin(case, model)
    privacy = default_privacy(origin["licence"])
    exhibit = clip_exhibits.regions(case.sample, prediction, found, chosen, layer, origin, privacy)
    export_menu.offer(exhibit, "regions")


def show_units(case: Case, model: Model) -> None:
    """The table of a rendered face's action units."""
    export_menu.tabled(clip_exhibits.units(case.sample, _origin(case, model)), "units")


def _origin(case: Case, model: Model) -> dict[str, Any]:
    from mesm.analysis.provenance import clip_origin

    return clip_origin(model.facts, case.corpus, case.licence)

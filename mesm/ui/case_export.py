"""The menus under the figures of one clip."""

from __future__ import annotations

from typing import Any

from mesm.analysis.origin import clip_origin
from mesm.figures.exhibits import case as exhibits
from mesm.figures.mosaic import Look, Strip
from mesm.figures.privacy import default_privacy
from mesm.records import Prediction
from mesm.ui import export_menu
from mesm.ui.resources import Case, Model


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


def _origin(case: Case, model: Model) -> dict[str, Any]:
    return clip_origin(model.predictor, case.corpus, case.licence)

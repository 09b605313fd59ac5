"""Hold an ablation: one trained model per row, what it scores, and its difference to the row that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

from mesm.json_form import Json, items, members
from mesm.records.comparison import PairedDifference, difference_from_schema_1
from mesm.records.evaluation import Interval, Scores, average_from_schema_1, interval_from_schema_1


@dataclass(frozen=True)
class AblationSetup:
    """Hold the setup of all rows. The defaults are a reduced setup: at most 10 minutes a row on two cores.

    Attributes:
        corpus: its folder while rows are trained, its name in a record.
        preset: `<preset>-fe2e` and `<preset>-mesm` are what the rows start from; "": the recipe mesm for the corpus.
        width: of the paper's channels.
        clips: of the training split; 0 = all.
        epochs: of every training; the row from random weights gets twice as many.
        causes: whether the corpus has action units, prosody and neutral faces; without them those objectives are off.
        size: of the recipe.
    """

    corpus: str
    preset: str = "marionette"
    width: float = 0.125
    clips: int = 600
    epochs: int = 6
    split: str = "test"
    causes: bool = True
    size: str = "small"


@dataclass(frozen=True)
class AblationRun:
    """Hold one trained model of a row; `seconds` is its training time."""

    seed: int
    average: Scores
    macs_ratio: float | None
    seconds: float


@dataclass(frozen=True)
class ShuffledText:
    """Hold a branch's score in percent with the clip's own and another clip's transcript as query, and the difference."""

    own: float | None
    shuffled: float | None
    cost: float | None


@dataclass(frozen=True)
class AblationLine:
    """Hold one row of the table: the mean over its runs.

    Attributes:
        row: its name, such as mesm-TA or gate-hard.
        group: what is varied.
        what: the difference in words.
        spread: metric -> sample standard deviation over the runs.
        seconds: mean training time.
        loaded: name of each run's checkpoint where it was loaded; None where it was trained.
        against: row that it is compared with; "" for none.
        difference: metric -> difference to that row.
        shuffled_text: branch -> "wacc" and "auc" -> loss under other clips' transcripts; empty without attention.
        share_of_bayes_wacc: see `mesm.studies.evaluation.bayes_ceiling`; None where no ceiling is known.
    """

    row: str
    group: str
    what: str
    average: Scores
    macs_ratio: float | None
    interval: dict[str, Interval]
    top_p: float | None
    modalities: tuple[str, ...]
    runs: tuple[AblationRun, ...]
    seconds: float | None = None
    spread: dict[str, float] = field(default_factory=dict)
    loaded: tuple[str | None, ...] = ()
    against: str = ""
    difference: dict[str, PairedDifference] = field(default_factory=dict)
    shuffled_text: dict[str, dict[str, ShuffledText]] = field(default_factory=dict)
    share_of_bayes_wacc: float | None = None


@dataclass(frozen=True)
class Ablation:
    """Hold the finished rows of an ablation on one corpus."""

    setup: AblationSetup
    seeds: tuple[int, ...]
    labels: tuple[str, ...]
    rows: tuple[AblationLine, ...]


#: Words of rows in records of schema 1 -> today's.
_WORDS = {
    "attention as initialised, never trained": "attention frozen at its initial weights",
    "the attention is asked with nothing": "no text query",
    "the clip's own text in training": "the clip's own text as query in training",
    "FE2E without known causes": "FE2E without auxiliary targets",
    "nobody shows where the face moves": "no attention supervision",
    "also shown what the text names, and what tells the emotions apart": "attention also supervised by the emotion of the text",
    "the attention learns from labels and causes alone": "no attention supervision and no neutral faces",
    "teacher": "supervision",
}


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return an ablation of schema 1 in today's form."""
    return {
        "setup": data["setting"],
        "seeds": data["seeds"],
        "labels": data["labels"],
        "rows": [_line_from_schema_1(members(row)) for row in items(data["rows"])],
    }


def _line_from_schema_1(row: dict[str, Json]) -> dict[str, Json]:
    kept = ("row", "macs_ratio", "seconds", "spread", "top_p", "modalities", "loaded")
    return {
        **{name: row[name] for name in kept},
        **{name: _WORDS.get(str(row[name]), row[name]) for name in ("group", "what")},
        "average": average_from_schema_1(row),
        "interval": interval_from_schema_1(members(row["interval"])),
        "runs": [
            {**{name: run[name] for name in ("seed", "macs_ratio", "seconds")}, "average": average_from_schema_1(run)}
            for run in map(members, items(row["runs"]))
        ],
        "against": row.get("against", ""),
        "difference": difference_from_schema_1(members(row.get("difference", {}))),
        "shuffled_text": row.get("shuffled_text") or {},
        "share_of_bayes_wacc": row.get("ceiling_share"),
    }

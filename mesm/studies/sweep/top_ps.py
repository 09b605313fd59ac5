"""Parse the top-p values of a sweep, and find the elbow of its scores over its cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesm.config import check_top_p
from mesm.errors import ConfigError
from mesm.json_form import short_repr

#: Values of one sweep: each costs a pass over the corpus.
MOST_VALUES = 100


def parse_top_ps(text: str) -> tuple[float, ...]:
    """Parse `0.1:1.0:0.1` (both ends included) or `0.3,0.5`.

    Raises:
        ConfigError: the text is neither, has more than `MOST_VALUES` values, or a value lies outside (0, 1].
    """
    try:
        if ":" in text:
            low, high, step = (float(x) for x in text.split(":"))
            count = min(round((high - low) / step), MOST_VALUES) + 1
            values = [low + i * step for i in range(count)]
        else:
            values = [float(x) for x in text.split(",")]
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise ConfigError(f"--top-p {short_repr(text)} must look like 0.1:1.0:0.1 or 0.3,0.5") from error
    if not 0 < len(values) <= MOST_VALUES:
        raise ConfigError(
            f"--top-p {short_repr(text)} has no value or more than {MOST_VALUES}; give 1 to {MOST_VALUES}"
        )
    return tuple(check_top_p(round(v, 6)) for v in values)


def find_elbow(costs: Sequence[float], scores: Sequence[float | None]) -> int | None:
    """Return the index of the point furthest above the chord from the cheapest to the dearest point.

    Points without a score are left out; None with fewer than three others, and where all scores or all costs are equal.
    Both axes are scaled to [0, 1]. Source: Satopaa et al. 2011, "Finding a 'Kneedle' in a Haystack", without its
    smoothing.
    """
    known = [i for i, score in enumerate(scores) if score is not None]
    x, y = np.array([costs[i] for i in known], float), np.array([scores[i] for i in known], float)
    if len(known) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    x = (x - x.min()) / np.ptp(x)
    y = (y - y.min()) / np.ptp(y)
    order = np.argsort(x)
    chord = np.interp(x, [0, 1], [y[order[0]], y[order[-1]]])
    return known[int(np.argmax(y - chord))]

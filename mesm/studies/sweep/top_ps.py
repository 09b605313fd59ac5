"""Parse the top-p values of a sweep, and find the elbow of its scores over its cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesm.config import check_top_p
from mesm.errors import ConfigError


def parse_top_ps(text: str) -> tuple[float, ...]:
    """Parse `0.1:1.0:0.1` (both ends included) or `0.3,0.5`.

    Raises:
        ConfigError: the text is neither, or a value lies outside (0, 1].
    """
    try:
        if ":" in text:
            low, high, step = (float(x) for x in text.split(":"))
            values = [low + i * step for i in range(round((high - low) / step) + 1)]
        else:
            values = [float(x) for x in text.split(",")]
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"--top-p {text!r} must look like 0.1:1.0:0.1 or 0.3,0.5") from error
    return tuple(check_top_p(round(v, 6)) for v in values)


def find_elbow(costs: Sequence[float], scores: Sequence[float]) -> int:
    """Return the index of the point furthest above the chord from the cheapest to the dearest point.

    Both axes are scaled to [0, 1]. Source: Satopaa et al. 2011, "Finding a 'Kneedle' in a Haystack", without its
    smoothing.
    """
    x, y = np.asarray(costs, float), np.asarray(scores, float)
    x = (x - x.min()) / max(np.ptp(x), 1e-12)
    y = (y - y.min()) / max(np.ptp(y), 1e-12)
    order = np.argsort(x)
    chord = np.interp(x, [0, 1], [y[order[0]], y[order[-1]]])
    return int(np.argmax(y - chord))

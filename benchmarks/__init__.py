"""One file per performance claim; each prints a table and can write JSON."""

import mesm  # sets how long torch's threads spin, before anything loads torch

__all__ = ["mesm"]

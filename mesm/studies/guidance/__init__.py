"""Tabulate MESM under each guidance of its attention, and conclude: from the record of `benchmarks/guidance.py`."""

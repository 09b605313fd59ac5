"""Average one model over its training seeds, and compare two models on the same clips.

Start with `comparison.py` (mean, spread and paired difference from records, no torch); `measure.py` scores the runs,
`tables.py` prints both.
"""

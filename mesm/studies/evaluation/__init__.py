"""Score one checkpoint on one split: metrics, intervals over speakers, slices and confusions (paper, section 5.2).

Start with `measure.py` (runs the model, returns `mesm.records.evaluation.Evaluation`). From that record alone, without
a model: `breakdown.py` (slices, confusion, co-occurrence, calibration), `tables.py`, `chart_data.py` and its two renderers
`paper.py` and `screen.py`, `exports.py`. `bayes_ceiling.py` has the ideal observer's score on a corpus of known design.
"""

"""Sweep top-p: scores against cost, cost by layer, cost per clip (Figure 5 of the paper).

Start with `mesm.records.sweep` (what is measured). `measure.py` runs the models, `top_ps.py` parses the values and finds
the elbow, `tables.py` has the numbers, `chart_data.py` the points and bars that `paper.py` and `screen.py` draw, and
`exports.py` the figures of `mesm figure sweep`, `work` and `spread`.
"""

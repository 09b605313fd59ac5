"""Measure, tabulate and draw the results: one package per study.

Start with `sweep`, the smallest complete one. Where it needs them, a study has `measure.py` (runs models, returns a record
of `mesm.records`), `tables.py`, `chart_data.py` (the content of charts, computed once), `paper.py` and `screen.py` (draw
it with matplotlib and plotly) and `exports.py` (figures and tables as files). `case` is about one clip; `evaluation`,
`seeds`, `ablation`, `sweep` and `learning` about scores, `facs` and `faithfulness` about the attention, `architecture`
about the model, and `reproduction` about the paper's tables. Only `measure.py` and the modules that it names import torch.
"""

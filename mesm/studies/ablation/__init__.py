"""Train one model per row, each with one part left out or changed (paper, Table 5).

Start with `measure.py` (`ROWS` and `row_config` describe the rows, `ablate` trains and scores them and returns
`mesm.records.ablation.Ablation`), then `tables.py` (the table, and its export).
"""

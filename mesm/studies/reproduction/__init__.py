"""Reproduce Tables 1 to 5 and Figures 3 to 5 of the paper on any corpus, beside the reported numbers.

Start with `table_jobs.py` (which checkpoint a line of a table uses: given, shipped or trained), then `measure.py` (lines,
figures), `reported.py` (the paper's numbers), `tables.py` and `exports.py`.
"""

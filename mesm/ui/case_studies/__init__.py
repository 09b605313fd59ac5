"""Build the Case studies page: `filters.py` and `gallery.py` choose a clip, `case_view.py` shows it.

Its parts: `compare.py` (two predictions), `over_p.py` (scores over top-p), `action_units.py` (mask against regions),
`player.py` (cursor over the pictures), `cell_values.py` (value of the site under the pointer). `notebook*.py` keep starred cases.
"""

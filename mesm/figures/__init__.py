"""Share the style, the page, tables and export of all figures; each study draws its own in `mesm.studies`.

Start with `export.py` (`FigureExport`: a figure or table with caption, provenance and command, and its files) and
`tables.py` (`Table`: text, CSV, LaTeX). `style.py` has the colours, `page.py` the widths and letters of print,
`privacy.py` blurs faces, `overlay.py`, `lettering.py` and `png.py` make pixel pictures, `sheet.py` diagrams,
`table_picture.py` tables as pictures, `charts.py` traces and layouts of plotly, `bibliography.py` the citations.
"""

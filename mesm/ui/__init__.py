"""Build the app's pages; the only library code that imports streamlit.

One package per page with parts of its own (`case_studies`, `try_a_clip`, `facs`, `efficiency`, `results`, `runs`, `export`), and
beside them what pages share: `frame.py` (navigation), `layout.py` (headings, errors, pictures), `controls.py` (choices of
checkpoint, corpus, top-p), `state.py` (the URL), `models.py`, `corpora.py` and `record_cache.py` (opened once for all
visitors), `clip_cache.py` (results about clips), `clip_pictures.py`, `tables.py`, `export_menu.py`, `copy_link.py`. Start with
`pages/case_studies.py`.
"""

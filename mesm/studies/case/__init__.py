"""Show one clip: its pictures with the kept sites, its scores, its cost, and how they change with top-p.

Start with `mosaic.py`, the picture of faces, spectrogram and words with a row per attention layer, and `chart_data.py`,
which holds the numbers of every chart. `paper.py` and `screen.py` draw these charts with matplotlib and plotly,
`mosaic_paper.py` draws the pictures for paper. `difference.py` lays two masks over each other, `label_flip.py` scores a
clip at many top-p, `regions.py` compares its masks with the regions of action units. `exports.py` builds what
`mesm figure` and the app's menus write to disk, `tables.py` its tables, `captions.py` its words.
"""

"""Hold results as values: frozen dataclasses, one module per kind, with one JSON form. Numpy only, no tensors.

Start with `base.py` (`Record`, `Provenance`, `Estimate`, `CorpusId`, reading and writing) and `store.py` (`RecordStore`
finds records by kind, checkpoint and corpus). Then one module per kind: `prediction.py` (a clip's scores and trace),
`evaluation.py`, `comparison.py`, `seeds.py`, `sweep.py`, `ablation.py`, `facs.py`, `canonical.py`, `faithfulness.py`,
`reproduction.py`, `search.py`.
"""

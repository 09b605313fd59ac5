"""Compare a checkpoint's attention with the Facial Action Coding System: regions of action units, chance, controls.

Start with `measure.facs` (`mesm facs`), which returns `mesm.records.facs.FacsStudy`, and `canonical.canonical_faces`
(`mesm canonical`), which returns `mesm.records.canonical.CanonicalFaces`.

Measured: `codebooks` lists action units per emotion, `attention_maps` runs a model over a corpus, `agreement` compares a
map with a region, `estimates` estimates lifts over speakers; `mesm.data.atlas` lays units on a face. Judged: `targets`,
`statements`. Shown: `tables`, `chart_data`, `paper`, `screen`, `exports`.
"""

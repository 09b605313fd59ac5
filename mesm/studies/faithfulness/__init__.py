"""Test whether the kept sites explain a checkpoint's scores, and whether the text leaks through them.

Start with `measure.measure_faithfulness`, which runs every test and returns a `mesm.records.faithfulness.Faithfulness`:
`shuffled` and `neutral_faces` measure the leak of the text, `sites` keeps only some sites (deletion, insertion, nucleus
against random), `sufficiency` searches the smallest sufficient top-p, `control_test` replaces the attention's weights,
`loudness_lift` compares the voice's sites with loud mel values. `evaluation_clips` prepares the clips, `interventions`
forces the kept sites. `tables` and `exports` show the record.
"""

"""Run one checkpoint on one clip: prediction, trace, multiply-adds. Measurements over many clips are in `mesm.studies`.

Start with `predictor.py` (`load`, `Predictor.predict`). `checkpoints.py` finds checkpoints and reads their small files
without torch; `tracing.py` turns attention tensors into records; `cost.py` counts multiply-adds of the end-to-end models
in closed form, `baseline_cost.py` those of the two-phase baselines, `utterance_cost.py` those of any model's batch;
`provenance.py` describes the origin of a figure.
"""

"""Train one model on one corpus; a run can be killed and resumed at any time.

trainer.py          the loop: start here
objectives/         the losses, one class each, and their weighted sum
model_setup.py      the model with its initial weights and frozen parts; baseline_setup.py for the two-phase baselines
optim.py            parameter groups, schedule, gradient clipping
augment.py          augmentation of a batch; broad_augment.py the one for other cameras and rooms
validation.py       thresholds and metrics of the validation split; metrics.py has the formulas, scoring.py the loop
calibration.py      fusion weights fitted on the validation split
run_folder.py       config, state and log of a run; run_state.py how far it has come; progress.py the reports of a running one
search.py           hyperparameter search
tensorboard_log.py  event files
"""

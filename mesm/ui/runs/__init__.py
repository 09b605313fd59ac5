"""The Runs page: `training_runs.py` reads, starts, stops and resumes the runs of the workspace, `view.py` shows them."""

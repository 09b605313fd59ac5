"""Build the Runs page.

Start with `view.py`, which shows runs; `training_runs.py` reads, starts, stops and resumes those of the workspace.
"""

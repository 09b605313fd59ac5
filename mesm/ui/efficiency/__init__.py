"""The Efficiency page: `view.py` shows sweeps, `sweep_job.py` starts and stops one, `sweep_records.py` chooses records."""

"""Build the Efficiency page.

Start with `view.py`, which shows sweeps; `sweep_job.py` starts and stops one, `sweep_records.py` chooses records,
`time_here.py` measures times on the machine at hand.
"""

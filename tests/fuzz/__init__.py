"""Damaged and hostile inputs: whatever a file holds, reading it gives a value or one of the project's sentences.

    python -m tests.fuzz [--cases 20000] [--target NAME] [--seed N] [--out FOLDER]
    python -m tests.fuzz --target NAME --input FILE       one input again, with the whole traceback

`inputs.py` makes them (valid files of every kind, changed; random programs and values), `targets.py` reads them,
`run.py` holds every reading to its bounds. `test_fuzz.py` runs a minute of it.
"""

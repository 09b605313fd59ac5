"""Build the FACS page: `view.py` has its parts in the order of the page, `facs_records.py` finds the records."""

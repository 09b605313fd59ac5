"""Show the FACS page: `heat_map` and controls, `faces`, `statement_table`, `leak_tests`; start with `facs_records`."""

"""One file per performance claim; each prints a table and can write JSON."""

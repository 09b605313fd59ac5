"""Build the Overview page: its headline in three numbers, and what the records did not confirm."""

"""Exhibits made of records: one function per kind of figure or table, for the pages and for `mesm figure` alike."""

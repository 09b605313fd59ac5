"""Figures for paper: matplotlib, drawn at the exact width of a column. They draw records and compute nothing."""

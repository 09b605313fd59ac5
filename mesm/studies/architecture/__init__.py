"""Draw a model's architecture: its inputs, the grid of every block, an example of the sites it keeps.

Start with `chart_data.py` (grids and the example, with caption and description); `paper.py` draws it in print and as SVG
for the screen, and builds the figure of `mesm figure architecture`.
"""

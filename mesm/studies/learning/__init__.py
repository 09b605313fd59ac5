"""Draw the learning curves of training runs: losses, learning rate and validation scores, epoch by epoch.

Start with `chart_data.py` (the curves, and how a run gets its colour); `screen.py` draws them with plotly, `exports.py`
builds the figures of `mesm figure learning` and `mesm figure runs`.
"""

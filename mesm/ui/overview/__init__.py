"""Build the Overview page: `architecture.py` shows the drawing of the model, `pages/overview.py` the rest."""

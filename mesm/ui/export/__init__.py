"""Build the Export page: `basket.py` holds the collected figures, `basket_view.py` shows them and writes one zip."""

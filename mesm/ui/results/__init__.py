"""Build the parts of the Results page. Start with `view.py`: one `show_<part>` per choice of the page's picker."""

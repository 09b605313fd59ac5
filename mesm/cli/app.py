"""`mesm app`: open the app in the browser, from any folder."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm app`."""
    parser.epilog = (
        "All other options go to Streamlit's server.\n"
        "example:\n  mesm app --home ~/emotion --server.port 8600 --server.headless true"
    )
    parser.add_argument("--home", metavar="DIR", help="workspace folder (MESM_HOME, or mesm_home here)")


def run(arguments: argparse.Namespace) -> int:
    """Run Streamlit's server on app.py until it or this command is stopped; return its exit status."""
    import subprocess
    import sys

    from mesm.runtime import bundle

    script = bundle() / "app.py"
    home = ["--", "--home", arguments.home] if arguments.home else []
    command = [sys.executable, "-m", "streamlit", "run", str(script), *arguments.passed_on, *home]
    with subprocess.Popen(command) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            raise

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
    parser.add_argument(
        "--public",
        action="store_true",
        help="let strangers use it: nothing is trained, deleted or written into the workspace (MESM_PUBLIC=1)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run Streamlit's server on app.py until it or this command is stopped; return its exit status."""
    import os
    import subprocess
    import sys

    from mesm.access import PUBLIC, access
    from mesm.runtime import bundle

    if arguments.public:
        os.environ[PUBLIC] = "1"
    options = [*(_public_options(access().upload_mb) if access().is_public else []), *arguments.passed_on]
    home = ["--", "--home", arguments.home] if arguments.home else []
    command = [sys.executable, "-m", "streamlit", "run", str(bundle() / "app.py"), *options, *home]
    with subprocess.Popen(command) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            raise


def _public_options(upload_mb: int) -> list[str]:
    """Return the options of Streamlit's server that strangers need; later ones on the command line replace them."""
    return [
        *("--server.headless", "true"),  # no browser and no questions in the terminal of a server
        *("--server.maxUploadSize", str(upload_mb)),
        *("--browser.serverAddress", "localhost"),  # else it requests its outer address from checkip.amazonaws.com
    ]

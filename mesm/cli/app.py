"""`mesm app`: open the app in the browser, from any folder."""

from __future__ import annotations

import argparse
import os
import re

from mesm.access import PUBLIC, Access, access


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
    import subprocess
    import sys

    from mesm.runtime import bundle

    if arguments.public:
        os.environ[PUBLIC] = "1"
    # Elsewhere the server is reached under names that .streamlit/config.toml cannot know.
    if access().is_public or _address(arguments.passed_on):
        os.environ.setdefault("STREAMLIT_SERVER_ALLOWED_HOSTS", "*")
    options = _server_options(access(), arguments.passed_on)
    home = ["--", "--home", arguments.home] if arguments.home else []
    command = [sys.executable, "-m", "streamlit", "run", str(bundle() / "app.py"), *options, *home]
    with subprocess.Popen(command) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            raise


def _address(passed_on: list[str]) -> str:
    """Return the server's address of the options, else of the environment; "" for localhost, .streamlit/config.toml's."""
    option = re.search(r"--server\.address[= ](\S+)", " ".join(passed_on))
    address = os.environ.get("STREAMLIT_SERVER_ADDRESS", "") if option is None else option[1]
    return "" if address in ("localhost", "127.0.0.1", "::1") else address


def _server_options(rights: Access, passed_on: list[str]) -> list[str]:
    """Return the options of Streamlit's server; those of the command line come last and so replace the others."""
    options = []
    if rights.is_public:  # no browser and no questions in the terminal of a server
        options += ["--server.headless", "true", "--server.maxUploadSize", str(rights.upload_mb)]
    address = _address(passed_on)
    if address and address not in ("0.0.0.0", "::"):
        options += ["--browser.serverAddress", address]  # printed and opened, in place of .streamlit/config.toml's
    return [*options, *passed_on]

"""The wheel alone is enough: built, installed in another folder beside its own dependencies only, and used."""

from __future__ import annotations

import importlib.metadata
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mesm.runtime import assets

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
#: Extras that are installed by hand where they are used: by licence or by need.
BY_HAND = {"opensmile"}


def requirements(*files: str) -> set[str]:
    """Requirements of the files, in one form."""
    lines = [line.partition("#")[0].strip() for file in files for line in (ROOT / file).read_text().splitlines()]
    return {str(Requirement(line)) for line in lines if line and not line.startswith("-")}


def test_requirements_files_have_the_bounds_of_the_wheel() -> None:
    listed = requirements("requirements.txt", "requirements-dev.txt")
    plain = {str(Requirement(line)) for line in PROJECT["dependencies"]}
    assert plain <= requirements("requirements.txt")
    extras = {
        str(Requirement(line))
        for name, lines in EXTRAS.items()
        for line in lines
        if name not in BY_HAND and not line.startswith(("mesm", "dlib", "face_recognition"))
    }
    assert extras <= listed, "an extra is missing from the requirements files, or has other bounds there"
    assert listed <= plain | extras, "a requirement belongs to no extra"


def test_every_extra_of_a_message_exists() -> None:
    sources = [*(ROOT / "mesm").rglob("*.py"), ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {extra for path in sources for extra in re.findall(r"mesm\[(\w+)\]", path.read_text())}
    assert {"train", "gpu", "marionette", "ray"} <= named <= set(EXTRAS)


def closure(lines: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """Installed distributions that these requirements bring, by name."""
    brought: dict[str, importlib.metadata.Distribution] = {}
    waiting = [Requirement(line) for line in lines]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if name in brought or not wanted:
            continue
        brought[name] = importlib.metadata.distribution(name)
        waiting += [Requirement(line) for line in brought[name].requires or []]
    return brought


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="needs hatchling and build: pip install -r requirements-dev.txt")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "-o", folder, ROOT], check=True)
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *folder.iterdir()], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the scripts' folder of an environment with the wheel and what its metadata asks for, linked."""
    pytest.importorskip("pip", reason="needs pip, which environments of uv lack: uv pip install pip")
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        asked = re.findall(r"^Requires-Dist: (.*)$", archive.read(metadata).decode(), flags=re.M)
    for distribution in closure(asked).values():
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel], check=True
    )
    return python.parent


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "clips").mkdir()
    clip = sorted((assets() / "marionette" / "media").glob("*.mp4"))[0]
    for copy in (folder / "clip.mp4", folder / "clips" / "one.mp4"):
        copy.write_bytes(clip.read_bytes())
    return folder


def run(folder: Path, *command: str | Path, status: int = 0) -> str:
    """Run a command in another folder, without this checkout; return its output."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MESM_HOME")}


@pytest.mark.slow
def test_the_five_lines_of_the_readme(installed: Path, elsewhere: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    output = run(elsewhere, installed / "python", "-c", block + "\nprint(mesm.__file__)")
    assert "anger" in output and str(installed.parent) in output


@pytest.mark.slow
def test_predict_and_a_figure(installed: Path, elsewhere: Path) -> None:
    run(elsewhere, installed / "mesm", "predict", "clips", "--out", "scores.csv")
    assert len((elsewhere / "scores.csv").read_text().splitlines()) == 2
    run(
        elsewhere,
        installed / "mesm",
        "figure",
        "case",
        "marionette-mesm@marionette",
        "--clip",
        "m0-00356",
        "--out",
        "case.pdf",
    )
    assert (elsewhere / "case.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_training_names_its_extra(installed: Path, elsewhere: Path) -> None:
    command = ("train", "--preset", "marionette-fe2e", "--corpus", "marionette", "--out", "run")
    output = run(elsewhere, installed / "mesm", *command, status=2)
    assert output.strip() == "mesm train: training needs the package accelerate; pip install 'mesm[train]'"


PAGES = """
from streamlit.testing.v1 import AppTest
from mesm.runtime import bundle
from mesm.ui.frame import PAGES
for file in PAGES:
    app = AppTest.from_file(str(bundle() / "app.py"), default_timeout=300)
    app.switch_page(file)
    app.run()
    print(file, [e.value for e in app.exception], [e.value for e in app.error], len(app.main.children))
"""


@pytest.mark.slow
def test_every_page_opens(installed: Path, elsewhere: Path) -> None:
    output = run(elsewhere, installed / "python", "-c", PAGES)
    lines = re.findall(r"^pages/\w+\.py (.*) \d+$", output, flags=re.M)
    assert len(lines) == 8 and set(lines) == {"[] []"}, output


@pytest.fixture
def server(installed: Path, elsewhere: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port)]
    with subprocess.Popen([installed / "mesm", "app", *options], cwd=elsewhere, env=environment()) as process:
        yield f"http://localhost:{port}"
        process.terminate()
        assert process.wait(60) == 143


@pytest.mark.slow
def test_the_server_of_mesm_app(server: str) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{server}/_stcore/health") as answer:
                assert answer.read() == b"ok"
            break
        except urllib.error.URLError:
            assert time.monotonic() < until
            time.sleep(0.2)
    with urllib.request.urlopen(server) as answer:
        assert b"<title>" in answer.read()

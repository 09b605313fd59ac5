"""The Dockerfile names what is there: paths, variables that are read, a command that parses, one port; nothing is built."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config

from mesm import access, cli

ROOT = Path(__file__).resolve().parent.parent
#: Variable of another package -> the module that reads it.
READERS = {
    "HF_HOME": "huggingface_hub.constants",
    "HF_HUB_OFFLINE": "huggingface_hub.constants",
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba.core.config",
}
#: Variables of the system, of Python and of pip.
SYSTEM = {"HOME", "PATH", "PYTHONDONTWRITEBYTECODE", "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK"}
LINES = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M)).splitlines()
INSTRUCTIONS = [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in LINES if line.strip()]


def arguments_of(name: str) -> list[str]:
    return [arguments for instruction, arguments in INSTRUCTIONS if instruction == name]


def variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in arguments_of("ENV") for pair in line.split())


def sources() -> Iterator[str]:
    for line in arguments_of("COPY"):
        if "--from=" not in line:
            yield from line.split()[:-1]


def test_every_copied_path_exists_and_is_sent_to_the_engine() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = list(sources())
    assert len(copied) > 6 and sent == set(copied)
    assert [path for path in copied if not (ROOT / path).exists()] == []
    project = (ROOT / "pyproject.toml").read_text()
    (included,) = re.findall(r"^only-include = (\[.*\])", project, flags=re.M)
    assert {*json.loads(included), "app.py", "pyproject.toml", "README.md", "LICENSE"} == set(copied), (
        "the wheel's parts"
    )


@pytest.mark.parametrize("name", sorted(variables()))
def test_every_variable_is_read(name: str) -> None:
    if name in SYSTEM:
        return
    if name.startswith("STREAMLIT_"):
        assert name in {option.env_var for option in config._config_options_template.values()}
    elif name.startswith("MESM_"):
        assert any(f'"{name}"' in path.read_text() for path in (ROOT / "mesm").rglob("*.py"))
    else:
        spec = importlib.util.find_spec(READERS[name])
        assert spec is not None and spec.origin is not None
        assert name in Path(spec.origin).read_text()


def test_all_that_is_written_goes_to_the_tmpfs_of_a_user_without_rights() -> None:
    places = [variables()[name] for name in ("HOME", "MESM_HOME", "HF_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")]
    assert all(re.match(r"/tmp(/|$)", place) for place in places)
    assert arguments_of("USER") == ["1000:1000"] and arguments_of("WORKDIR") == ["/tmp"]
    assert variables()[access.PUBLIC] == "1"


def test_the_command_parses_and_the_port_is_one() -> None:
    (command,) = arguments_of("CMD")
    parsed = cli.parse(json.loads(command)[1:])
    assert parsed.verb == "app" and parsed.public and parsed.passed_on == []
    port = variables()["STREAMLIT_SERVER_PORT"]
    (check,) = arguments_of("HEALTHCHECK")
    assert arguments_of("EXPOSE") == [port] and f"localhost:{port}/_stcore/health" in check
    compile(json.loads(check[check.index("[") :])[2], "HEALTHCHECK", "exec")
    space = (ROOT / "docs" / "space" / "README.md").read_text().split("---")[1]
    assert f"app_port: {port}" in space and "sdk: docker" in space
    for text in ((ROOT / "Dockerfile").read_text(), (ROOT / "docs" / "install.md").read_text()):
        assert f"docker run --rm --read-only --tmpfs /tmp --cap-drop ALL -p {port}:{port} mesm" in text


def test_the_base_is_a_python_that_the_project_takes() -> None:
    (python,) = re.findall(r"^ARG PYTHON=(.*)$", "\n".join(LINES), flags=re.M)
    assert python == "3.11" and arguments_of("FROM")[-1] == "python:${PYTHON}-slim-bookworm"

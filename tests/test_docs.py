"""README and documentation are true: paths exist, commands parse, Python runs, figures are those of the records."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from docs import _site
from mesm import cli, presets
from mesm.data.corpora import open_corpus
from mesm.estimate import decimal_text
from mesm.records.base import read_record
from mesm.records.facs import FacsStudy
from mesm.records.faithfulness import Faithfulness
from mesm.runtime import assets

D = TypeVar("D")
ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NAMES = {path: path.name for path in (*PAGES, *NOTEBOOKS)}


@cache
def text(path: Path) -> str:
    """Return a page, or a notebook's words, without the marks of tables."""
    if path.suffix == ".ipynb":
        return "\n\n".join(source for kind, source in _site.read_notebook(path) if kind == "markdown")
    return path.read_text()


def fences(page: str, *languages: str) -> list[str]:
    """Return the blocks of code in one of the languages; "" for a block without one."""
    return [body for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.M | re.S) if language in languages]


@pytest.mark.parametrize("path", NAMES, ids=NAMES.get)
def test_every_path_exists(path: Path) -> None:
    page = text(path)
    paths = {ROOT / p for p in re.findall(r"`((?:mesm|tests|assets|benchmarks|pages|docs)/[\w./*-]*)`", page)}
    links = re.findall(r"\]\(((?!http|#)[^)#]+)(?:#[^)]*)?\)", page)
    made = {"assets/screenshots/case_studies.png", *(f"notebooks/{one.stem}.md" for one in NOTEBOOKS)}
    paths |= {path.parent / link for link in links if path.parent != ROOT / "docs" or link not in made}
    assert [str(p) for p in sorted(paths) if not p.exists()] == []


def shell_lines(block: str) -> list[str]:
    """Return the commands of a block: continued lines joined, variables of the block put in, comments left out."""
    values = dict(re.findall(r'^(\w+)="(.*?)"$', block.replace("\\\n", " "), flags=re.M | re.S))
    lines = []
    for line in block.replace("\\\n", " ").splitlines():
        filled = re.sub(r"\$(\w+)", lambda match: values.get(match[1], match[0]), line.partition("  #")[0])
        lines += [part.strip() for part in filled.split("&&")]
    return lines


def commands() -> list[tuple[str, str]]:
    """List every `mesm verb ...` of the pages and of the verbs' own examples, with its source."""
    listed: list[tuple[str, str]] = []
    for path in NAMES:
        page = text(path)
        variables = "\n".join(
            line for line in fences(page, "sh") for line in re.findall(r'^\w+=".*?"$', line, re.M | re.S)
        )
        blocks = [line for block in fences(page, "", "sh", "figure") for line in shell_lines(f"{variables}\n{block}")]
        inline = re.findall(r"`(mesm [^`]+)`", re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S))
        listed += [(path.name, " ".join(one.split())) for one in (*inline, *blocks)]
    for module, _ in cli.VERBS.values():
        source = (ROOT / (module.replace(".", "/") + ".py")).read_text()
        listed += [(module, c) for c in re.findall(r'^\s+"\s*(?:example:\\n)?\s*(mesm \w[^"\\]*)', source, flags=re.M)]
    runs = [(place, re.sub(r"^accelerate launch -m ", "", line)) for place, line in dict.fromkeys(listed)]
    whole = re.compile(r"^mesm (?!.*(?<!\")\.\.\.(?!\")).+")
    return [(place, c) for place, c in runs if whole.match(c) and not re.search(r"\b(VERB|NAME|mycorpus)\b", c)]


def test_the_commands_are_read_from_fences_cells_and_tables() -> None:
    places = {place for place, _ in commands()}
    assert {"README.md", "commands.md", "people.md", "facs.ipynb", "model.md", "mesm.cli.train"} <= places
    assert len(commands()) > 120
    assert {command.split()[1] for place, command in commands() if place == "commands.md"} == set(cli.VERBS)


@pytest.mark.parametrize(("place", "command"), commands())
def test_every_command_parses(place: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(command)[1:]
    try:
        parsed = cli.parse(arguments)
    except SystemExit:  # a verb may be named alone, in a sentence
        assert re.fullmatch(r"mesm( [a-z-]+)+", command) and "arguments are required" in capsys.readouterr().err
        return
    assert parsed.verb == arguments[0]
    if getattr(parsed, "preset", None) and parsed.verb == "train":
        assert parsed.preset in presets.PRESETS
        settings = dict(one.split("=", 1) for one in parsed.set)
        presets.PRESETS[parsed.preset].with_settings(settings)


@pytest.mark.parametrize("path", NAMES, ids=NAMES.get)
def test_make_targets_modules_and_extras_exist(path: Path) -> None:
    page = text(path)
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"^make (\w[\w-]*)|`make (\w[\w-]*)", page, flags=re.M)) <= {
        pair for target in targets for pair in ((target, ""), ("", target))
    }
    for module in re.findall(r"python -m ((?:tests|benchmarks)[\w.]*)", page):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("path", NAMES, ids=NAMES.get)
def test_the_python_is_python(path: Path) -> None:
    cells = [c for kind, c in _site.read_notebook(path) if kind == "code"] if path.suffix == ".ipynb" else []
    for block in (*fences(text(path), "python"), *cells):
        compile(block, path.name, "exec")


def test_the_readme_is_short() -> None:
    readme = text(ROOT / "README.md")
    (five,) = fences(readme, "python")
    assert len([line for line in five.splitlines() if line and not line.startswith("import")]) <= 5
    assert len(readme.splitlines()) < 100


DOCUMENTED = sorted(set(re.findall(r"^::: (mesm[\w.]*)", text(ROOT / "docs" / "api.md"), flags=re.M)))


def module_of(name: str) -> str:
    """Return the module of a documented name, which is the module or something in it."""
    path = ROOT / name.replace(".", "/")
    return name if path.is_dir() or path.with_suffix(".py").is_file() else name.rpartition(".")[0]


@pytest.mark.slow
def test_the_examples_of_the_reference_run() -> None:
    modules = sorted({module_of(name) for name in DOCUMENTED})
    results = [doctest.testmod(importlib.import_module(name)) for name in modules]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) > 20


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES.get)
def test_a_notebook_has_no_stored_output(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("clip", ["'anger'", "visual 40% 25%", "p = 0.9"]),
        ("facs", ["(600, 50, 4282)", "own over other emotions' units 1.22"]),
        ("sweep", ["p = 1.0: work 0.92", "600 clips, 50 speakers"]),
    ],
)
def test_a_notebook_runs(name: str, printed: list[str]) -> None:
    page, pictures = _site.notebook_page(ROOT / "docs" / "notebooks" / f"{name}.ipynb")
    assert [part for part in printed if part not in page] == []
    assert [picture[1:4] for picture in pictures.values()] == [b"PNG"]


@pytest.mark.slow
def test_the_python_of_the_pages_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_corpus("marionette").media_path("m0-00356")
    assert clip is not None
    shutil.copy(clip, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    for path in PAGES:
        for block in fences(text(path), "python") if path.name != "CONTRIBUTING.md" else ():
            exec(compile(block, path.name, "exec"), {"__name__": "__main__"})


def shipped_record(kind: str, data_type: type[D]) -> D:
    (path,) = (assets() / "records").glob(f"{kind}_marionette-mesm_*.json")
    data = read_record(path).data
    assert isinstance(data, data_type)
    return data


def test_the_figures_on_masks_are_the_records() -> None:
    study, page = shipped_record("facs", FacsStudy), " ".join(text(ROOT / "docs" / "masks.md").split())
    kept = study.maps["checkpoint"].kept
    assert kept.active is not None and kept.specificity is not None and study.control is not None
    rows = (
        [one.lift for one in kept.active],
        [one.lift_head for one in kept.active],
        study.control.crop,
        kept.specificity.own_over_other_units.pooled,
    )
    for row in rows:
        assert " / ".join(f"{one.value:.2f}" for one in row) in page
    assert f"{study.counts.clips} test clips of {study.counts.speakers} speakers" in page


def test_the_faithfulness_on_masks_is_the_records() -> None:
    data, page = shipped_record("faithfulness", Faithfulness), " ".join(text(ROOT / "docs" / "masks.md").split())
    face, voice = (data.keep_only.branches[branch] for branch in ("visual", "acoustic"))
    stays = [
        [f"{decimal_text(100 * (sites.same.value or 0), 0)} %" for sites in (one.nucleus, one.random, one.least)]
        for one in (face, voice)
    ]
    assert (
        "stays in {} of 160 clips, with as many random sites in {}, with as many of the least attended in {}".format(
            *stays[0]
        )
        in page
    )
    assert "that of the voice branch in {}, {} and {}".format(*stays[1]) in page
    insertion = data.order.branches["acoustic"]["L3"].insertion_gain
    assert insertion.words(3).replace(" (", ", interval ") in page
    assert data.loudness is not None
    assert " / ".join(decimal_text(layer.kept_lift.value or 0, 2) for layer in data.loudness.layers) in page


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs mkdocs: pip install -r requirements-dev.txt")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = [
        tag
        for page in tmp_path.rglob("*.html")
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", page.read_text())
        if re.search(r'(?:src|href)="(?:https?:)?//', tag) and 'rel="canonical"' not in tag
    ]
    assert loaded == []
    assert not [css for css in tmp_path.rglob("*.css") if re.search(r"url\(['\"]?(?:https?:)?//", css.read_text())]
    assert {path.name for path in (tmp_path / "figures").iterdir()} > {"architecture-marionette-mesm.svg"}

"""The basket on disk: another visit and another process see it; an own clip's figures are never in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from mesm.access import PUBLIC
from mesm.cli.figure import remake
from mesm.errors import DataError
from mesm.figures.export import FigureExport
from mesm.figures.tables import Row, Table
from mesm.ui.export import basket

TABLE = Table(("model", "WAcc"), (Row(("a", 1.0)),))
ROOT = Path(__file__).parents[2]


def export(number: int = 0, command: str = "mesm figure classes a@b{}") -> FigureExport:
    return FigureExport(f"classes-{number}", f"Classes {number}", "caption", command.format(number), table=TABLE)


class State(dict):
    """A visit's session state."""


@pytest.fixture
def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    monkeypatch.setattr(st, "session_state", State())
    yield tmp_path / basket.FOLDER


def another_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", State())


def test_a_reload_and_another_process_keep_the_basket(visit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (0, 1):
        basket.add(export(number), ("pdf", "csv"), "acl-text")
    first = basket.entries()
    assert [entry.title for entry in first.values()] == ["Classes 0", "Classes 1"]
    another_visit(monkeypatch)
    assert basket.entries() == first
    made: list[str] = []
    entry = next(iter(first.values()))
    for _ in range(2):
        assert basket.export_of(entry, lambda command: made.append(command) or export()).name == "classes-0"
    assert made == ["mesm figure classes a@b0"], "made again once a visit"
    code = "from mesm.ui.export import basket; [basket.remove(key) for key in list(basket.entries())[:1]]"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert [entry.title for entry in basket.entries().values()] == ["Classes 1"]
    basket.empty()
    assert basket.entries() == {} and list(visit.iterdir()) == []


def test_adding_twice_changes_formats_and_width_only(visit: Path) -> None:
    basket.add(export(), ("pdf",), "acl-column")
    basket.add(export(1), ("pdf",), "acl-column")
    basket.add(export(), ("svg",), "ieee-text")
    assert [(e.title, e.forms, e.width) for e in basket.entries().values()] == [
        ("Classes 0", ("svg",), "ieee-text"),
        ("Classes 1", ("pdf",), "acl-column"),
    ]


@pytest.mark.parametrize(
    "command", ["# no command", "mesm ingest clip.mp4 --out own && mesm figure case a@own --clip b"]
)
def test_an_own_clips_figure_is_written_nowhere(visit: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    own = export(command=command)
    basket.add(own, ("pdf",), "acl-column")
    assert list(basket.entries()) == [basket.key_of(own)] and not visit.exists()
    basket.remove_own()
    assert basket.entries() == {} and not st.session_state[basket._LIVE]


def test_a_damaged_file_is_one_sentence_and_loses_no_other(visit: Path) -> None:
    basket.add(export(), ("pdf",), "acl-column")
    (visit / "bad.json").write_text('{"command": 1}')
    said: list[str] = []
    assert len(basket.entries(lambda error: said.append(str(error)))) == 1
    assert len(said) == 1 and "basket/bad.json" in said[0] and "remove it" in said[0]


def test_faces_stay_blurred_where_others_reach_the_server(visit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def face(privacy: str) -> FigureExport:
        return FigureExport("case", "Case", "c", "mesm figure case a@b --clip c --privacy none", {"licence": "by"},
                            table=TABLE, privacy=privacy, private=face)  # fmt: skip

    basket.add(face("none"), ("pdf",), "acl-column")
    (entry,) = basket.entries().values()
    for hides, privacy in ((False, "none"), (True, "blur")):
        another_visit(monkeypatch)
        monkeypatch.setattr(basket, "hides_faces", lambda licence, hides=hides: hides and licence == "by")
        assert basket.export_of(entry, lambda command: face("none")).privacy == privacy


@pytest.mark.parametrize("command", ["rm -rf /", "mesm train", "mesm figure portrait a@b", "mesm figure 'case", ""])
def test_only_a_figures_command_is_run(command: str) -> None:
    with pytest.raises(DataError, match="add the figure again"):
        remake(command)


def test_on_a_public_server_it_ends_with_the_visit(visit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    basket.add(export(0), ("pdf",), "acl-text")
    monkeypatch.setenv(PUBLIC, "1")
    assert basket.entries() == {}, "what the workspace holds is its owner's"
    for one in (export(1), export(2, "mesm ingest clip.mp4")):
        basket.add(one, ("pdf",), "acl-text")
    assert [entry.title for entry in basket.entries().values()] == ["Classes 1", "Classes 2"]
    basket.remove_own()
    assert [entry.title for entry in basket.entries().values()] == ["Classes 1"], "the own clip's alone"
    another_visit(monkeypatch)
    assert basket.entries() == {}
    basket.empty()
    assert len(list(visit.iterdir())) == 1, "the owner's stays"

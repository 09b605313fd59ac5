"""Records of schema 1 are rewritten in today's form, with the digests of known corpora, or left as they are."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.cli import main
from mesm.cli import records as command
from mesm.errors import DataError
from mesm.json_form import to_json
from mesm.records.base import RECORD_SCHEMA, CorpusId, read_record
from mesm.runtime import assets

SHIPPED = sorted((assets() / "records").glob("*.json"))
#: The shipped records as schema 1 had them.
FORMER = Path(__file__).with_name("schema_1.zip")
with zipfile.ZipFile(FORMER) as _archive:
    FORMER_NAMES = sorted(_archive.namelist())
#: Kinds that were measured again since.
MEASURED_AGAIN = ("canonical", "facs", "faithfulness", "sweep")
#: One of each kind.
ONE_OF_EACH = list({name.split("_")[0]: name for name in FORMER_NAMES}.values())


def extract(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(FORMER) as archive:
        return Path(archive.extract(name, folder))


@pytest.fixture(params=ONE_OF_EACH)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A record of schema 1 of each kind."""
    return extract(request.param, tmp_path)


@pytest.mark.parametrize("name", FORMER_NAMES)
def test_the_shipped_records_are_the_migrated_ones(name: str, tmp_path: Path) -> None:
    shipped = [path for path in SHIPPED if path.name.startswith(name.removesuffix(".json"))]
    assert len(shipped) == 1
    former, now = read_record(extract(name, tmp_path)), read_record(shipped[0])
    if not name.startswith(MEASURED_AGAIN):
        assert to_json(former.data) == to_json(now.data)
    assert json.loads(shipped[0].read_text())["schema"] == RECORD_SCHEMA


def test_shipped_records_are_read() -> None:
    assert len(SHIPPED) >= 16
    for path in SHIPPED:
        record = read_record(path)
        assert record.provenance.corpus.name == "marionette" and record.data is not None


def test_the_numbers_survive(old: Path) -> None:
    before = json.loads(old.read_text())
    path = command.migrate(old, {"marionette": CorpusId("marionette", "0123456789abcdef")})
    assert path.stem.endswith("-01234567") and path.stem.startswith(old.stem) and not old.exists() and path.exists()
    record = read_record(path)
    assert record.provenance.created == before["provenance"]["created"]
    assert record.provenance.corpus.digest == "0123456789abcdef"
    data = record.data
    if record.kind == "evaluate":
        assert np.array_equal(data.per_clip.scores, before["data"]["per_clip"]["scores"])
        assert data.average.wacc == before["data"]["wacc"]
    elif record.kind == "compare":
        assert data.difference["f1"].value == before["data"]["difference"]["f1"]["difference"]
        assert all(origin.corpus.digest for origin in record.provenance.compared)
    elif record.kind == "ablation":
        assert [line.average.f1 for line in data.rows] == [row["f1"] for row in before["data"]["rows"]]
    elif record.kind in ("reproduce", "seeds"):
        assert data.average.f1 == before["data"]["f1"] and data.seeds == len(before["data"]["runs"])


def test_what_cannot_be_migrated_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "evaluate_x_y.json").write_text("{")
    assert main(["records", "migrate", str(tmp_path)]) == 2
    assert "not migrated" in capsys.readouterr().out and (tmp_path / "evaluate_x_y.json").read_text() == "{"
    assert main(["records", "migrate", str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err


def replace_corpus(path: Path, corpus: CorpusId) -> str:
    record = read_record(path)
    return replace(record, provenance=replace(record.provenance, corpus=corpus)).file_name


def test_a_taken_name_is_not_overwritten(old: Path) -> None:
    corpus = CorpusId("marionette", "0123456789abcdef")
    taken = old.with_name(replace_corpus(old, corpus))
    taken.write_text("kept")
    with pytest.raises(DataError, match="exists already"):
        command.migrate(old, {"marionette": corpus})
    assert taken.read_text() == "kept" and old.exists()


def test_the_command_prints_a_line_per_file(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["records", "migrate", str(old.parent), "--corpus", "marionette"]) == 0
    assert old.name in capsys.readouterr().out
    assert main(["records", "migrate", str(old.parent)]) == 0
    assert "today's schema already" in capsys.readouterr().out

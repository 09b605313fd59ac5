"""A table of the paper by one command, on a corpus of 48 clips: runs, records, files, and what was not run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mesm.cli import main
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.records.base import Record, read_record
from mesm.records.reproduction import ReproducedLine
from mesm.runtime import assets
from mesm.studies.reproduction.table_jobs import (
    MODELS,
    TableJob,
    choose_models,
    needs_features,
    resolve_checkpoint,
)
from tests.training.corpora import tinted_corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinted_corpus(tmp_path_factory.mktemp("reproduce") / "corpus", 16, 8, 8, truth=True)


def places(folder: Path) -> list[str]:
    """Everything that is written, in one folder."""
    return ["--out", str(folder), "--runs", str(folder / "runs"), "--records", str(folder / "records")]


def line(records: Path, model: str, corpus: str) -> ReproducedLine:
    (path,) = records.glob(f"reproduce_{model}_{corpus}*.json")
    record: Record[ReproducedLine] = read_record(path)
    assert record.provenance.checkpoint_sha256 == tuple(c.sha256 for c in record.data.checkpoints)
    return record.data


def test_the_lines_are_the_papers(folder: Path) -> None:
    from mesm.studies.reproduction.reported import TABLE_3, TABLE_4

    for table in (TABLE_3, TABLE_4):
        assert [row.model.split(" (")[0] for row in table.rows] == list(MODELS)
    assert choose_models([]) == tuple(MODELS) and choose_models(["mesm", "LF-lstm"]) == ("LF-LSTM", "MESM")
    assert [name for name in MODELS if needs_features(name)] == ["LF-LSTM", "LF-TRANS", "EmoEmbs", "MulT"]
    with pytest.raises(ConfigError, match="no model 'x'"):
        choose_models(["x"])
    corpus = Corpus(folder)
    job = TableJob(corpus, folder / "runs", (0, 1), epochs=2)
    run = job.run_config("sparse", 1)
    assert run.train.init_from.endswith("dense-s1/checkpoint") and run.train.seed == 1 and run.train.epochs == 2
    assert (run.train.neutral.per_batch, run.train.attention.weight) == (0, 4), "it has regions and no neutral faces"
    assert job.stages("MESM") == ("dense", "sparse") and job.stages("FE2E") == ("dense",)
    assert job.run_config("mult", 0).model.name == "mult" and job.stages("MulT") == ("mult",)
    whole = TableJob(Corpus(assets() / "marionette"), folder / "runs")
    assert whole.stages("MESM") == ("dense", "sparse", "text-guided")
    assert whole.run_config("text-guided", 1).train.init_from.endswith("runs/sparse-s1/checkpoint")
    paper = TableJob(corpus, folder / "runs", recipe="paper", size="paper", top_p=0.7).run_config("sparse", 0)
    assert (paper.model.width, paper.model.top_p, paper.model.to_dict()["gate"]) == (1.0, 0.7, "hard")
    assert paper.train.init_from.endswith("dense-s0/checkpoint"), (
        "the paper's settings start from their dense model too"
    )


@pytest.mark.slow
def test_table_4_with_seeds_is_trained_once(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["reproduce", "table4", "--corpus", str(folder), "--models", "emo-embs", "mult", "fe2e"]
    command += ["--epochs", "1", "--seeds", "2", *places(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "not run: LF-LSTM: not among --models" in said and str(tmp_path / "table-4-tinted.tex") in said
    record = line(tmp_path / "records", "MulT", "tinted")
    assert (
        record.seeds == 2
        and record.parameters > 1e5
        and record.macs > 1e5
        and record.ms_per_clip
        and record.ms_per_clip > 0
    )
    assert set(record.per_class) == set(record.labels) and record.macs_ratio is None
    assert line(tmp_path / "records", "FE2E", "tinted").macs_ratio == 1
    latex = (tmp_path / "table-4-tinted.tex").read_text()
    for word in (
        "toprule",
        "MulT",
        "reported on CMU-MOSEI",
        "Dai et al. (2021), Table 4",
        "never",
        "always",
        r"\pm",
        "Trained for this table: EmoEmbs, MulT, FE2E.",
        "2 seeds. Not run: LF-LSTM",
    ):
        assert word in latex, word
    csv = (tmp_path / "table-4-tinted.csv").read_text()
    assert "64.9" in csv and len(csv.splitlines()) == 1 + 3 + 6 + 3
    assert (tmp_path / "models-tinted.pdf").stat().st_size > 1000
    models = (tmp_path / "models-tinted.csv").read_text()
    assert " to " in models and len(models.splitlines()) == 4
    state = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("model.safetensors")}
    assert len(state) == 12, "two folders for each of two seeds and three models"
    evaluations = sorted((tmp_path / "records").glob("evaluate_*"))
    state |= {p: p.stat().st_mtime_ns for p in evaluations}
    assert sorted(read_record(p).provenance.checkpoint for p in evaluations) == sorted(
        f"tinted-{end}{seed}" for end in ("emo-embs", "mult", "fe2e") for seed in ("", "-s1")
    )
    assert main(command) == 0
    assert state == {p: p.stat().st_mtime_ns for p in state}, "neither trained nor evaluated again"
    command[command.index("1")] = "2"
    assert main(command) == 2, "runs with other settings are not mixed"


def test_a_line_that_cannot_be_made_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tinted_corpus(tmp_path / "corpus", 8, 4, 4)
    command = ["reproduce", "table3", "--corpus", str(plain), "--models", "lf-lstm", *places(tmp_path)]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert "no visual features" in out and "not run: LF-LSTM" in out
    assert "no row of table3 could be made" in err


@pytest.mark.slow
def test_what_ships_with_a_corpus_is_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["reproduce", "table4", "--corpus", "marionette", "--models", "fe2e", "mesm", *places(tmp_path)]
    assert main(command) == 0
    assert not (tmp_path / "runs").exists(), "nothing was trained"
    latex = (tmp_path / "table-4-marionette.tex").read_text()
    assert "Loaded, as shipped with this corpus: FE2E, MESM." in latex
    record = line(tmp_path / "records", "MESM", "marionette")
    (made,) = record.checkpoints
    assert made.origin == "shipped" and made.name == "marionette-mesm"
    assert record.macs_ratio is not None and 0 < record.macs_ratio < 1
    weights = assets() / "checkpoints" / "marionette-mesm" / "model.safetensors"
    assert made.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    # The same model as a folder that is given, and one that is another model.
    given = [f"mesm={weights.parent}", "fe2e=marionette-mesm"]
    options = [word for option in given for word in ("--checkpoint", option)]
    assert main([*command, *options]) == 0
    said = capsys.readouterr().out
    assert "not run: FE2E: checkpoint 'marionette-mesm' is of model 'mesm', not FE2E" in said
    assert "Loaded, as given: MESM." in (tmp_path / "table-4-marionette.tex").read_text()
    assert main([*command, "--seeds", "2", *options]) == 2
    assert "1 checkpoint(s) for 2 seed(s)" in capsys.readouterr().err


def test_what_ships_is_taken_only_where_it_is_what_would_be_trained(folder: Path, tmp_path: Path) -> None:
    corpus = Corpus(assets() / "marionette")
    assert TableJob(corpus, tmp_path).existing_checkpoint("MESM", 0) == assets() / "checkpoints" / "marionette-mesm"
    assert TableJob(corpus, tmp_path).existing_checkpoint("LF-LSTM", 0) is None, "none ships"
    for other in (
        TableJob(corpus, tmp_path, epochs=1),
        TableJob(corpus, tmp_path, clips=8),
        TableJob(corpus, tmp_path, shipped=False),
        TableJob(corpus, tmp_path, recipe="paper"),
        TableJob(corpus, tmp_path, size="paper"),
    ):
        assert other.existing_checkpoint("MESM", 0) is None
    assert TableJob(corpus, tmp_path, (0, 1)).existing_checkpoint("MESM", 1) is None, "one seed ships"
    tinted = Corpus(folder)
    assert TableJob(tinted, tmp_path).existing_checkpoint("MESM", 0) is None
    found = resolve_checkpoint(TableJob(corpus, tmp_path), "FE2E", 0)
    assert found.origin == "shipped" and not any(words.startswith("name") for words in found.differs)


def test_tables_of_the_splits(folder: Path, tmp_path: Path) -> None:
    assert main(["reproduce", "table2", "--corpus", str(folder), "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "table-2-tinted.csv.json").read_text())
    assert found["n"] == 32 and "train" in (tmp_path / "table-2-tinted.csv").read_text()


@pytest.mark.parametrize("what", ["figure3", "figure4"])
def test_case_figures(what: str, tmp_path: Path) -> None:
    command = ["reproduce", what, "--corpus", "marionette", "--checkpoint", "marionette-mesm", "--out", str(tmp_path)]
    clip = Corpus(assets() / "marionette").ids()[0]
    assert main([*command, "--clip", clip]) == 0
    (picture,) = tmp_path.glob(f"{what}-*.pdf")
    assert (clip in picture.name) == (what == "figure4")
    assert picture.stat().st_size > 5000
    beside = json.loads(picture.with_name(f"{picture.name}.json").read_text())
    assert beside["corpus"] == "marionette" and (f"--clip {clip}" in beside["command"]) == (what == "figure4")


@pytest.mark.slow
def test_figure_5_and_table_5(folder: Path, tmp_path: Path) -> None:
    shared = ["--corpus", str(folder), "--epochs", "1", *places(tmp_path)]
    assert main(["reproduce", "figure5", *shared]) == 0
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"dense-s0", "sparse-s0"}
    assert len(list(tmp_path.glob("figure5-*.pdf"))) == 3
    (curve,) = (tmp_path / "records").glob("sweep_*.json")
    assert len(read_record(curve).data.points) == 10
    made = curve.stat().st_mtime_ns
    assert main(["reproduce", "figure5", *shared]) == 0 and curve.stat().st_mtime_ns == made
    assert main(["reproduce", "table5", *shared]) == 0
    csv = (tmp_path / "table-5-tinted.csv").read_text()
    assert "mesm-TV" in csv and "84.5" in csv and "reported on IEMOCAP" in csv

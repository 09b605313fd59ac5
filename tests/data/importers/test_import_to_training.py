"""What somebody with a licence types: look, import, audit, divide, count as the paper does, train."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from mesm.cli import main
from mesm.data.store import Corpus
from tests.data.importers.trees import lists

OFFLINE = "--set text_source=minilm --set text_dim=384 --set text_pooling=mean --set epochs=1"
#: Corpus -> found, stored, where they go, the paper's table and its training utterances.
SHOWN = {
    "iemocap": (11, 4, "train 2, valid 1, test 1", "table1", ("anger", "757")),
    "mosei": (11, 2, "train 1, valid 1", "table2", ("clips", "14524")),
}


def mesm(line: str) -> int:
    return main(shlex.split(line))


@pytest.mark.slow  # the paper's full width
@pytest.mark.parametrize("name", SHOWN)
def test_from_the_releases_folder_to_a_trained_step(
    name: str,
    iemocap_tree: Path,
    mosei_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    utterances, stored, splits, table, (column, reported) = SHOWN[name]
    monkeypatch.setenv("MESM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    release = iemocap_tree if name == "iemocap" else mosei_tree
    lists(tmp_path / "SPLIT", train=["-a_b_0", "-a_b_10"], valid=["v2_0"], test=["v3_0"])
    command = f"corpus import {name} {shlex.quote(str(release))} corpora/{name} --workers 0"
    command += " --splits lists:SPLIT" if name == "mosei" else ""

    assert mesm(f"{command} --dry-run") == 0
    seen = capsys.readouterr().out
    assert f"{utterances} utterances found, {stored} can be stored" in seen and "estimate" in seen
    assert not (tmp_path / "corpora").exists(), "a dry run writes nothing"

    assert mesm(command) == 0
    seen = capsys.readouterr().out
    assert f"{utterances} utterances found, {stored} stored" in seen and f"splits       {splits}" in seen
    quarantine = (tmp_path / "corpora" / name / "quarantine.jsonl").read_text().splitlines()
    assert len(quarantine) + len(Corpus(f"corpora/{name}")) == utterances

    assert mesm(f"corpus audit corpora/{name}") == 0
    leaks = "dialogues, train-valid" if name == "iemocap" else "no split shares any of"
    assert leaks in capsys.readouterr().out
    assert mesm(f"corpus split corpora/{name} corpora/anew --splits random --seed 3") == 0
    assert f"{stored} clips in corpora/anew" in capsys.readouterr().out

    assert mesm(f"reproduce {table} --corpus corpora/{name}") == 0
    (path,) = (tmp_path / "home" / "reproduce").rglob("*.csv")
    rows = {(row["group"].split()[0], row["split"]): row for row in csv.DictReader(path.open())}
    assert rows[name, "train"]["clips"] == splits[6] and rows["reported", "train"][column] == reported

    assert mesm(f"train --preset {name}-mesm --corpus corpora/{name} --out runs/albert") == 2
    message = capsys.readouterr().err
    assert (
        "'albert-base-v2' cannot be loaded" in message
        and "text_source=minilm text_dim=384 text_pooling=mean" in message
    )
    assert mesm(f"train --preset {name}-mesm --corpus corpora/{name} --out runs/a {OFFLINE}") == 0
    (row,) = map(json.loads, (tmp_path / "runs" / "a" / "metrics.jsonl").read_text().splitlines())
    assert np.isfinite(row["loss"])
    assert (tmp_path / "runs" / "a" / "checkpoint" / "model.safetensors").stat().st_size > 1e6

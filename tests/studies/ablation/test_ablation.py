"""The ablation's rows as configs, and three of them trained: dependencies, resuming, the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mesm import presets
from mesm.config import AttentionSupervisionConfig, AuxiliaryTargetsConfig, NeutralFacesConfig, RunConfig
from mesm.errors import ConfigError
from mesm.records.ablation import AblationSetup
from mesm.studies.ablation import measure as ablation
from mesm.studies.ablation.measure import ROWS, ablate, choose_rows, row_config, rows_of
from mesm.studies.ablation.tables import ablation_table, setup_line
from mesm.training.progress import StepReport
from mesm.vocabulary import CORPUS_LABELS
from tests.training.corpora import tinted_corpus

SETUP = AblationSetup("nowhere")


def run(name: str, setup: AblationSetup = SETUP) -> RunConfig:
    return row_config(setup, next(row for row in ROWS if row.name == name), 3, Path("runs"))


def test_table_5_of_the_paper_is_there() -> None:
    subsets = {"TAV", "TA", "TV", "VA", "T", "A", "V"}
    assert {f"fe2e-{s}" for s in subsets} | {f"mesm-{s}" for s in ("TAV", "TA", "TV")} <= {r.name for r in ROWS}
    for s in subsets:
        found = run(f"fe2e-{s}").model
        assert found.name == "fe2e" and {m[0].upper() for m in found.modalities} == set(s)
    assert run("mesm-TV").train.init_from == str(Path("runs/fe2e-TV-s3/checkpoint"))


def test_every_row_differs_from_its_reference_in_what_it_says() -> None:
    gates = {run(row.name).model.gate for row in ROWS if row.group == "gate"} | {run("mesm-TAV").model.gate}
    assert gates == {"hard", "straight_through", "soft", "soft_straight_through"}
    assert run("attention-random").train.freeze_attention and not run("mesm-TAV").train.freeze_attention
    queries = {n: (run(n).model.query, run(n).train.queries) for n in ("mesm-TAV", "query-none", "query-text")}
    assert queries == {"mesm-TAV": ("text", "shuffled"), "query-none": ("none", "own"), "query-text": ("text", "own")}
    cold, warm = run("start-random").train, run("mesm-TAV").train
    assert not cold.init_from and warm.init_from and cold.epochs == 2 * warm.epochs
    assert {run(f"stem-{n}").model.stem_blocks for n in (0, 1, 2)} == {0, 1, 2}
    assert not run("mesm-no-positions").model.positions and not run("fe2e-no-positions").model.positions
    names = [row.name for row in rows_of(SETUP)]
    assert len(names) == len(set(names))
    assert "stem-2" not in names and "gate-soft-straight-through" not in names  # they are mesm-TAV
    for row in rows_of(SETUP):
        found = run(row.name)
        assert (found.train.max_clips, found.model.width, found.train.seed) == (600, 0.125, 3)
        named = bool(found.train.attention.weight and found.train.attention.target_shares[1])
        taught = bool(found.train.attention.weight), named, bool(found.train.neutral.per_batch)
        if row.kind == "fe2e" or row.name in ("labels-only", "attention-random"):
            assert taught == (False, False, False)
        elif row.name in ("no-neutral", "query-none", "mesm-TA"):
            assert taught == (True, False, False), "no neutral faces where nobody asks, or sees"
        else:
            assert taught == (row.name != "no-look", row.name == "look-named", True)


def test_without_a_preset_the_rows_start_from_the_recipe_of_the_corpus(tmp_path: Path) -> None:
    setup = AblationSetup(str(tinted_corpus(tmp_path / "plain", 4, 2, 2)), preset="")
    assert run("mesm-TAV", setup).train.attention.target == "face_saliency"
    assert run("fe2e-TAV", setup).train.auxiliary.weight == 0
    assert run("mesm-TAV", setup).train.top_p_range == (0.35, 0.75) and run("fe2e-TAV", setup).train.keep == "best"
    names = {row.name for row in rows_of(setup)}
    assert {"fe2e-TAV", "no-look"} <= names and "look-named" not in names, "the same as mesm-TAV"
    assert run("start-random", setup).train.attention.target == "points", "it has no dense model"
    known = AblationSetup(str(tinted_corpus(tmp_path / "known", 4, 2, 2, truth=True)), preset="")
    assert run("mesm-TAV", known).train.attention.weight == 4


def test_a_row_brings_what_it_needs() -> None:
    assert [r.name for r in choose_rows(SETUP, ["mesm-TA"])] == ["fe2e-TAV", "fe2e-TA", "mesm-TAV", "mesm-TA"]
    assert {"gate-hard", "gate-soft"} <= {r.name for r in choose_rows(SETUP, ["gate"])}
    with pytest.raises(ConfigError, match="no row or group 'gates'"):
        choose_rows(SETUP, ["gates"])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets for the tinted corpus, whose words alone are learned in a moment."""
    for kind in ("fe2e", "mesm"):
        given = presets.PRESETS[f"marionette-{kind}"]
        model = replace(
            given.model, labels=CORPUS_LABELS["mosei"], head_dim=16, transformer_dim=16, transformer_layers=1,
            transformer_feedforward=16,
        )  # fmt: skip
        train = replace(
            given.train,
            auxiliary=AuxiliaryTargetsConfig(),
            neutral=NeutralFacesConfig(),
            attention=AttentionSupervisionConfig(),
            batch_size=8,
        )
        monkeypatch.setitem(presets.PRESETS, f"tinted-{kind}", RunConfig(model, train))


@pytest.mark.slow
def test_rows_are_trained_once_and_counted(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tinted_corpus(tmp_path / "tinted", train=16, valid=8, test=12)
    setup = AblationSetup(str(corpus), preset="tinted", clips=8, epochs=1)
    told: list[str] = []
    reports: list[object] = []
    data = ablate(
        setup, tmp_path / "runs", ["query-none"], report=reports.append, done=lambda name, _: told.append(name)
    )
    assert told == ["fe2e-TAV-s0", "mesm-TAV-s0", "query-none-s0"]
    assert [row.row for row in data.rows] == ["fe2e-TAV", "mesm-TAV", "query-none"]
    assert {r.batches for r in reports if isinstance(r, StepReport)} == {1}, "8 of the 16 clips"
    dense, sparse, unasked = data.rows
    assert dense.macs_ratio == 1 and sparse.macs_ratio is not None and 0 < sparse.macs_ratio < 1
    assert dense.against == "" and dense.difference == {}
    assert sparse.against == "fe2e-TAV" and unasked.against == "mesm-TAV"
    difference = sparse.difference["wacc"]
    assert difference.low <= difference.value <= difference.high
    assert sparse.average.wacc is not None and dense.average.wacc is not None
    assert difference.value == pytest.approx(sparse.average.wacc - dense.average.wacc, abs=2e-3)
    assert sparse.shuffled_text.keys() == {"visual", "acoustic"} and dense.shuffled_text == {}
    assert unasked.shuffled_text["visual"]["auc"].cost == 0, "without a query, another text changes nothing"
    assert dense.share_of_bayes_wacc is None, "no design, no ceiling"
    assert unasked.what in ablation_table(data).to_text()
    assert "8 training clips, 1 epoch, " in setup_line(data)

    def never(*_: object) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(ablation, "Trainer", never)
    assert ablate(setup, tmp_path / "runs", ["query-none"]) == data
    assert [row.row for row in ablate(setup, tmp_path / "runs", ["mesm-TAV"]).rows] == [
        "fe2e-TAV", "mesm-TAV", "query-none"
    ]  # fmt: skip
    with pytest.raises(AssertionError, match="trained twice"):
        ablate(setup, tmp_path / "runs", ["query-none"], seeds=(1,))

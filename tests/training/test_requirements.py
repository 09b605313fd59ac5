"""Check that settings, truth and starts are refused before anything is trained or written, by what to change first."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mesm.cli import main, parse
from mesm.cli.planning import planned
from mesm.config import AttentionSupervisionConfig, DistillationConfig
from mesm.data import action_unit_files
from mesm.data.action_unit_files import check_unit_files
from mesm.data.store import Corpus
from mesm.errors import BackendUnavailable, CheckpointError, ConfigError, DataError
from mesm.presets import PRESETS
from mesm.runtime import assets
from mesm.training import requirements
from mesm.training.recipes import CorpusFacts, plan_recipe
from mesm.training.requirements import check_recipe, check_run
from mesm.training.trainer import Trainer
from mesm.ui.runs import training_runs
from tests.training.corpora import tinted_corpus

ROWS = "timestamp,AU12_r\n0,1\n"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinted_corpus(tmp_path_factory.mktemp("requirements") / "tinted", 6, 4, 0)


@pytest.fixture
def corpus(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESM_HOME", str(tmp_path / "home"))
    return Path(shutil.copytree(stored, tmp_path / "tinted"))


def with_units(corpus: Path, **files: str) -> Path:
    folder = corpus / "action_units"
    folder.mkdir()
    for clip, text in files.items():
        (folder / f"{clip}.csv").write_text(text)
    return folder


def test_a_missing_start_is_one_sentence_with_all_that_needs_it(stored: Path) -> None:
    corpus, run = Corpus(stored), PRESETS["marionette-mesm"]
    saliency = AttentionSupervisionConfig(1.0, target="saliency")
    train = replace(run.train, freeze_stem=True, attention=saliency, distillation=DistillationConfig(1.0))
    with pytest.raises(ConfigError) as refused:
        check_run(replace(run, train=train), corpus)
    assert str(refused.value) == (
        "freeze_stem, freeze_text, attention.target and distillation.weight need a trained FE2E: name one with --init, or set "
        "freeze_stem=false, freeze_text=false, attention.target=points and distillation.weight=0"
    )
    named = replace(
        train, freeze_stem=False, attention=AttentionSupervisionConfig(), distillation=DistillationConfig(1.0, "x")
    )
    with pytest.raises(
        ConfigError, match=r"^freeze_text needs a trained FE2E: name one with --init, or set freeze_text=false$"
    ):
        check_run(replace(run, train=named), corpus)


def test_a_missing_package_is_named_before_a_missing_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    for more in (["--plan"], ["--out", str(tmp_path / "run")]):
        assert main(["train", "--preset", "marionette-fe2e", "--corpus", "marionette", *more]) == 2
        assert capsys.readouterr().err.endswith("training needs the package accelerate; pip install 'mesm[train]'\n")
    with pytest.raises(BackendUnavailable, match="accelerate"):
        Trainer(PRESETS["marionette-fe2e"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_truth_that_the_corpus_lacks_is_one_sentence_with_every_setting(stored: Path) -> None:
    run = PRESETS["marionette-mesm"]
    with pytest.raises(ConfigError) as refused:
        check_run(replace(run, train=replace(run.train, init_from="x")), Corpus(stored))
    assert str(refused.value) == (
        "corpus 'tinted' has no known action units, prosody, regions and neutral faces; set train.auxiliary.weight=0, "
        "train.attention.target=points and train.neutral.per_batch=0, or train with --recipe mesm, which plans for what the "
        "corpus holds"
    )
    check_recipe(plan_recipe("mesm", CorpusFacts.of(Corpus(stored))), Corpus(stored))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--recipe mesm --set epocs=1", "no setting 'epocs'"),
        ("--recipe mesm --set labels=excited", "has no label 'excited'"),
        ("--recipe mesm --set auxiliary.weight=1", "no known action units and prosody"),
        ("--recipe mesm --set cnn=vgg11 --set width=1", "stage sparse cannot start from cnn=vgg11"),
        ("--recipe fe2e --set attention.weight=1 --set attention.target=points", "fe2e has no attention to supervise"),
        ("--recipe mesm --set text_trainable=true --set neutral.per_batch=4", "a frozen text encoder"),
        (
            "--preset marionette-fe2e --init marionette-fe2e --set freeze_branches=true --set auxiliary.weight=0",
            "freeze_branches leaves nothing to train; set one to false, or text_adapter=16",
        ),
        ("--recipe mesm --init nowhere", "no checkpoint named 'nowhere'; there are marionette-fe2e,"),
        ("--recipe mesm --set distillation.checkpoint=nowhere", "no checkpoint named 'nowhere'; there are"),
        ("--recipe mesm --stage sparse", "freeze_text, attention.target and distillation.weight need a trained FE2E"),
        ("--preset marionette-mesm", "freeze_text needs a trained FE2E"),
        (
            "--recipe fe2e --set text_lexicon=0 --set text_source=/nowhere/at/all",
            "/nowhere/at/all",
        ),  # found by the trainer itself
    ],
)
def test_a_refused_training_has_written_nothing(
    options: str, sentence: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert main(["train", *options.split(), "--corpus", str(corpus), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert sentence in error.splitlines()[-1] and sorted(tmp_path.rglob("*")) == before


def test_files_of_action_units_are_read_by_the_plan(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = with_units(corpus, train00=ROWS, train03="timestamp,AU12_r\n0,much\n", valid00="no units at all\n")
    command = ["train", "--recipe", "mesm", "--corpus", str(corpus)]
    for more in (["--plan"], ["--out", str(tmp_path / "run")]):
        assert main([*command, *more]) == 2
        error = capsys.readouterr().err
        assert "train03.csv has 'much' in column AU12_r, where a number belongs" in error and error.count("\n") == 1
    with pytest.raises(DataError, match="where a number belongs"):  # as the page Runs plans
        training_runs.planned_recipe("mesm", corpus, "small")
    assert not (tmp_path / "run").exists()
    (folder / "train03.csv").write_text(ROWS)
    assert main([*command, "--plan"]) == 0 and "the regions of a detector's units" in capsys.readouterr().out
    (folder / "train00.csv").unlink()
    (folder / "train03.csv").unlink()
    assert main([*command, "--plan"]) == 2
    assert "has no file named after a clip, such as train00.csv" in capsys.readouterr().err


def test_the_plan_reads_as_many_files_as_take_a_moment(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_units(corpus, a=ROWS, b=ROWS, c="nothing\n")
    with pytest.raises(DataError, match=r"c\.csv has no columns such as AU01_r"):
        check_unit_files(folder, ["a", "b", "c"])
    monkeypatch.setattr(action_unit_files, "_CHECKED_BYTES", len(ROWS))
    check_unit_files(folder, ["a", "b", "c"])


def test_a_teacher_is_named_as_every_checkpoint_is(corpus: Path, tmp_path: Path) -> None:
    shipped = assets() / "checkpoints" / "marionette-fe2e"
    run = tmp_path / "runs" / "mine" / "checkpoint"
    shutil.copytree(shipped, run)
    for name, place in (("marionette-fe2e", shipped), (str(run.parent), run), (str(run), run), ("some/hub-id", None)):
        arguments = ["train", "--recipe", "mesm", "--corpus", str(corpus), "--set", f"distillation.checkpoint={name}"]
        stages = planned(parse([*arguments, "--init", name])).stages
        expected = name if place is None else str(place)
        assert {stage.run.train.distillation.checkpoint for stage in stages} == {expected}
        assert [stage.run.train.init_from for stage in stages] == [expected, ""]
    with pytest.raises(CheckpointError, match=r"no checkpoint named '\./some/where'"):
        planned(parse(["train", "--recipe", "fe2e", "--corpus", str(corpus), "--init", "./some/where"]))


def test_an_unfinished_corpus_is_named(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = corpus / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete": true', '"complete": false'))
    assert main(["train", "--recipe", "fe2e", "--corpus", str(corpus), "--plan"]) == 0
    assert "corpus 'tinted' is unfinished" in capsys.readouterr().err

"""A recipe as plain values for every kind of corpus, its run stopped anywhere, and a training that sees labels only."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mesm.cli import main
from mesm.config import RunConfig, TrainConfig
from mesm.data import known_truth, store
from mesm.data.parquet_schema import Row
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError, DataError
from mesm.models import load_checkpoint
from mesm.presets import ANY_P, PAPER_TRAIN, PRESETS
from mesm.records.training_log import EpochReport
from mesm.stopping import Stopped
from mesm.training.progress import StepReport, TrainingProgress
from mesm.training.recipe_plan import read_recipe
from mesm.training.recipe_run import is_recipe_finished, resume_recipe, train_recipe
from mesm.training.recipes import CorpusFacts, Recipe, plan_recipe
from mesm.vocabulary import CAPABILITIES, CORPUS_LABELS, MODALITIES
from tests.training.corpora import LABELS, tinted_corpus, tinted_sample, write_neutral_faces

RENDERED = CorpusFacts(CORPUS_LABELS["marionette"], MODALITIES, CAPABILITIES, rendered=True)
LABELS_ONLY = CorpusFacts(("anger", "neutral"))


def names(recipe: Recipe) -> list[str]:
    return [stage.name for stage in recipe.stages]


def test_known_truth_gives_the_presets_of_the_rendered_corpus() -> None:
    recipe = plan_recipe("mesm", RENDERED)
    kinds = {"dense": "fe2e", "sparse": "mesm", "text-guided": "mesm-text-guided"}
    assert {s.name: s.run for s in recipe.stages} == {n: PRESETS[f"marionette-{end}"] for n, end in kinds.items()}
    assert recipe.left_out == () and plan_recipe("fe2e", RENDERED).stages[0].run == recipe.stages[0].run


def test_labels_alone_leave_the_dense_models_saliency_as_guidance() -> None:
    recipe = plan_recipe("mesm", LABELS_ONLY)
    dense, sparse = (stage.run for stage in recipe.stages)
    assert names(recipe) == ["dense", "sparse"] and dense.model.labels == ("anger", "neutral")
    for train in (dense.train, sparse.train):
        assert train.auxiliary.weight == train.neutral.per_batch == 0
        assert train.keep == "best", "a small recorded corpus is overfitted"
    assert dense.train.attention.weight == 0 and sparse.train.attention == replace(
        ANY_P.attention, target="face_saliency"
    )
    assert (sparse.train.epochs, sparse.train.lr, sparse.train.top_p_range) == (18, 8e-4, (0.35, 0.75))
    assert (sparse.train.queries, sparse.train.freeze_text) == ("shuffled", True)
    model = sparse.model.to_dict()
    assert (model["gate"], model["top_p"], model["score"]) == ("soft_straight_through", 0.5, "additive_bilinear")
    assert (model["face_scaling"], model["mel_level"], model["width"]) == ("grey", "removed", 0.25)
    assert [line.split(":")[0] for line in recipe.left_out] == [
        "auxiliary targets", "attention on the regions of active units", "neutral faces under emotive texts", "text-guided stage",
    ]  # fmt: skip
    printed = recipe.lines()
    assert printed[0] == "recipe mesm, size small: 2 stages" and printed[1].startswith("  1 dense, 12 epochs: FE2E on ")
    assert printed[3] == "  left out: auxiliary targets: no known action units, prosody, displays"


@pytest.mark.parametrize(
    ("capabilities", "auxiliary", "target", "neutral", "stages"),
    [
        (("action_units",), 0, "face_saliency", 0, 2),
        (("action_units", "regions"), 0, "regions", 0, 2),
        (("displays", "action_units", "regions"), 0, "regions", 0, 3),
        (("displays", "action_units", "prosody"), 2, "face_saliency", 0, 2),
        (("neutral_faces",), 0, "face_saliency", 16, 2),
    ],
)
def test_each_capability_feeds_its_own_guidance(
    capabilities: tuple[str, ...], auxiliary: float, target: str, neutral: int, stages: int
) -> None:
    recipe = plan_recipe("mesm", replace(LABELS_ONLY, capabilities=capabilities))
    train = recipe.stage("sparse").run.train
    assert (train.auxiliary.weight, train.attention.target, train.neutral.per_batch) == (auxiliary, target, neutral)
    assert recipe.stage("dense").run.train.auxiliary.weight == auxiliary and len(recipe.stages) == stages


def test_files_of_action_units_guide_where_no_truth_is_known(corpus: Path, tmp_path: Path) -> None:
    read = replace(LABELS_ONLY, unit_files=True)
    dense, sparse = (stage.run.train for stage in plan_recipe("mesm", read).stages)
    assert (
        (dense.auxiliary.weight, dense.auxiliary.target)
        == (2, "units")
        == (sparse.auxiliary.weight, sparse.auxiliary.target)
    )
    assert (sparse.attention.target, sparse.distillation.weight) == ("units", 3) and not dense.distillation.weight
    left_out = plan_recipe("mesm", read).left_out
    assert [line.split(":")[0] for line in left_out] == ["neutral faces under emotive texts", "text-guided stage"]
    known = plan_recipe("mesm", replace(RENDERED, unit_files=True)).stage("sparse").run.train
    assert (known.attention.target, known.auxiliary.target, known.distillation.weight) == ("regions", "truth", 0)
    voices = plan_recipe("mesm", replace(read, modalities=("acoustic",))).stage("sparse").run.train
    assert (voices.attention.target, voices.auxiliary.weight) == ("saliency", 0)

    copy = Path(shutil.copytree(corpus, tmp_path / "corpus"))
    assert not CorpusFacts.of(Corpus(copy)).unit_files
    (copy / "action_units").mkdir()
    (copy / "action_units" / "a.csv").write_text("timestamp,AU12_r\n0,1\n")
    assert CorpusFacts.of(Corpus(copy)).unit_files


@pytest.mark.parametrize(
    ("stored", "dense", "sparse"),
    [
        (("acoustic",), ("text", "acoustic"), ("text", "acoustic")),
        (("visual",), ("text", "visual"), ("text", "visual")),
        (("text", "acoustic"), ("text", "acoustic"), ("text", "acoustic")),
        (("text",), ("text",), None),
    ],
)
def test_one_modality(stored: tuple[str, ...], dense: tuple[str, ...], sparse: tuple[str, ...] | None) -> None:
    facts = replace(RENDERED, modalities=stored)
    recipe = plan_recipe("mesm", facts)
    assert recipe.stages[0].run.model.modalities == dense, "MESM starts from the same branches"
    assert plan_recipe("fe2e", facts).stages[0].run.model.modalities == stored
    if sparse is None:
        assert names(recipe) == ["dense"] and "words alone" in recipe.left_out[-1]
        with pytest.raises(ConfigError, match="words alone have no positions to select"):
            plan_recipe("paper", facts, cold=True)
        return
    assert recipe.stage("sparse").run.model.modalities == sparse
    assert ("“This is a person.”" in recipe.left_out[0]) == ("text" not in stored), "the query where there are no words"
    assert bool(recipe.stage("sparse").run.train.neutral.per_batch) == ("visual" in stored)


def test_the_papers_settings() -> None:
    dense, sparse = (s.run for s in plan_recipe("paper", LABELS_ONLY, "paper", top_p=0.7).stages)
    assert dense.train == sparse.train == PAPER_TRAIN
    assert sparse.model.to_dict()["gate"] == "hard" and sparse.model.top_p == 0.7
    assert (sparse.model.width, sparse.model.text_source) == (1.0, "albert-base-v2")
    cold = plan_recipe("paper", LABELS_ONLY, "paper", cold=True, top_p=0.7)
    assert [s.run for s in cold.stages] == [sparse] and "dense stage: --cold" in cold.left_out
    small = plan_recipe("paper", RENDERED).stage("sparse").run
    assert small.train.top_p_range == () and small.train.branch.weight == small.train.auxiliary.weight == 0
    large = plan_recipe("mesm", RENDERED, "paper").stage("sparse").run
    assert (large.train.lr, large.train.epochs, large.train.freeze_text) == (5e-5, 40, False)
    assert large.train.attention.weight == 4 and not large.train.neutral.per_batch, "the text encoder is trained"
    with pytest.raises(ConfigError, match="--cold belongs to --recipe paper"):
        plan_recipe("mesm", LABELS_ONLY, cold=True)
    with pytest.raises(ConfigError, match="no recipe 'x' of size 'small'"):
        plan_recipe("x", LABELS_ONLY)


def test_settings_reach_the_stages_that_have_them() -> None:
    recipe = plan_recipe("mesm", RENDERED).with_settings({"top_p": "0.6", "model.gate": "hard", "train.epochs": "1"})
    assert [s.run.train.epochs for s in recipe.stages] == [1, 1, 1]
    assert [s.run.model.top_p for s in recipe.stages] == [1, 0.6, 0.6]
    for wrong in ({"epocs": "1"}, {"train.epochs": "0"}, {"top_p": "2"}):
        with pytest.raises(ConfigError):
            plan_recipe("mesm", RENDERED).with_settings(wrong)
    with pytest.raises(ConfigError):
        plan_recipe("fe2e", RENDERED).with_settings({"top_p": "0.6"})
    stored = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(stored) == recipe
    older = stored | {"stages": [stage | {"reason": "as it was planned"} for stage in stored["stages"]]}
    assert Recipe.from_dict(older) == recipe


def test_the_reasons_name_the_settings_that_are_trained() -> None:
    def reasons(recipe: Recipe, **settings: str) -> list[str]:
        lines = recipe.with_settings({key.replace("__", "."): value for key, value in settings.items()}).lines()
        return [line.split(": ", 1)[1] for line in lines if line.startswith("  ") and "left out" not in line]

    cold = plan_recipe("paper", LABELS_ONLY, cold=True)
    assert reasons(cold) == [
        "MESM from random weights, with a hard gate and p = 0.5 in every batch; nothing but labels guides it"
    ]
    (reason,) = reasons(cold, top_p="0.7", gate="soft", attention__weight="1", attention__target="points")
    assert reason == (
        "MESM from random weights, with p = 0.7 in every batch; attention supervised by the places of units in general"
    )
    assert reasons(cold.start_from("runs/mine"))[0].startswith("MESM from runs/mine, with a hard gate")
    assert "1 dense, 1 epoch of at most 9 clips: " in plan_recipe("mesm", RENDERED).with_settings(
        {"epochs": "1", "max_clips": "9"}
    ).lines()[1]  # fmt: skip
    dense, sparse, text_guided = reasons(plan_recipe("mesm", RENDERED), top_p_range="0.2,0.4", auxiliary__weight="0")
    assert dense == "FE2E on words, faces, voice; a sparse model does not learn from random weights"
    assert sparse == (
        "MESM from the stage before, with p from 0.2 to 0.4 so that one checkpoint serves every p; "
        "attention supervised by known regions, neutral faces"
    )
    assert text_guided.split("; ")[1] == (
        "attention supervised by known regions, also by the regions of the emotion that the text names, neutral faces"
    )
    fixed = reasons(plan_recipe("mesm", RENDERED), top_p_range="", top_p_start="1", top_p="0.7")[1]
    assert "with p = 0.7 in every batch after a start from p = 1;" in fixed
    assert reasons(plan_recipe("fe2e", RENDERED), modalities="visual") == ["FE2E on faces; it computes every site"]


def test_the_facts_of_a_corpus(tmp_path: Path) -> None:
    corpus = tinted_corpus(tmp_path / "all", 4, 2, 2, truth=True)
    assert CorpusFacts.of(Corpus(corpus)) == CorpusFacts(LABELS, MODALITIES, ("action_units", "regions"))
    assert CorpusFacts.of(Corpus(corpus, hide_truth=True)).capabilities == ()
    with CorpusWriter(tmp_path / "voices", "voices", LABELS) as writer:
        sample = tinted_sample("a", np.ones(6, int), "train", np.random.default_rng(0))
        silent = {
            "faces": sample.faces[:0],
            "face_times_s": sample.face_times_s[:0],
            "face_boxes": sample.face_boxes[:0],
        }
        writer.add(replace(sample, text=" ", face_found=sample.face_found[:0], **silent))
    assert CorpusFacts.of(Corpus(tmp_path / "voices")).modalities == ("acoustic",)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tinted_corpus(tmp_path_factory.mktemp("recipes") / "tinted", 6, 4, 4, truth=True, neutral_faces=True)
    write_neutral_faces(folder)
    return folder


def small(corpus: Path, facts: CorpusFacts | None = None, epochs: int = 1) -> Recipe:
    recipe = plan_recipe("mesm", facts or CorpusFacts(LABELS, ("text", "acoustic")))
    shape = ("width=0.0625", "head_dim=16", "transformer_dim=16", "transformer_layers=1", "transformer_feedforward=16")
    settings = dict(word.split("=") for word in (*shape, f"epochs={epochs}", "batch_size=2"))
    return recipe.change_training(corpus=str(corpus)).with_settings(settings)


@pytest.fixture(scope="module")
def unbroken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_recipe(small(corpus), tmp_path_factory.mktemp("unbroken") / "run")


def assert_same_weights(one: Path, other: Path) -> None:
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def stop_at(stage: int, epoch: int, batch: int) -> Callable[[int, tuple[str, ...]], TrainingProgress]:
    def begin(number: int, _: tuple[str, ...]) -> TrainingProgress:
        def progress(report: StepReport | EpochReport) -> None:
            if number == stage and isinstance(report, StepReport) and (report.epoch, report.batch) == (epoch, batch):
                os.kill(os.getpid(), signal.SIGTERM)

        return progress

    return begin


def test_a_run_has_its_plan_its_stages_and_one_checkpoint(unbroken: Path, corpus: Path) -> None:
    run = unbroken.parent
    assert sorted(p.name for p in run.iterdir()) == ["1-dense", "2-sparse", "checkpoint", "recipe.json"]
    assert_same_weights(run / "2-sparse" / "checkpoint", unbroken)
    result = load_checkpoint(unbroken)
    assert result.config.name == "mesm" and result.card.startswith("# run\n")
    assert result.metrics.train["init_from"] == "1-dense" and result.metrics.train["truth"] == "known"
    config = RunConfig.from_dict(json.loads((run / "2-sparse" / "config.json").read_text()))
    assert config.train.init_from == str(run.resolve() / "1-dense" / "checkpoint")
    assert is_recipe_finished(run) and not is_recipe_finished(run / "1-dense")


def after_dense(run: Path, folder: Path) -> Path:
    """Copy a run as it was before its second stage began."""
    shutil.copytree(run, folder, ignore=lambda path, _: {"2-sparse", "checkpoint"} if Path(path) == run else set())
    return folder


@pytest.mark.parametrize(("stage", "epoch", "batch"), [(0, 0, 2), (1, 0, 1)])
def test_a_run_that_is_stopped_goes_on(
    corpus: Path, unbroken: Path, tmp_path: Path, stage: int, epoch: int, batch: int
) -> None:
    run = after_dense(unbroken.parent, tmp_path / "run") if stage else tmp_path / "run"
    with pytest.raises(Stopped, match=f"stage {stage + 1} of 2, (dense|sparse): stopped after epoch {epoch + 1}"):
        train_recipe(small(corpus), run, stop_at(stage, epoch, batch))
    assert not (run / "checkpoint").exists()
    run.rename(tmp_path / "moved")
    begun: list[int] = []
    checkpoint = resume_recipe(tmp_path / "moved", lambda number, _: begun.append(number))
    assert begun == [0, 1][stage:]
    assert_same_weights(unbroken, checkpoint)
    begun.clear()
    assert train_recipe(small(corpus), tmp_path / "moved", lambda number, _: begun.append(number)) == checkpoint
    assert begun == [], "a finished run is left as it is"


def test_a_run_that_is_killed_between_stages_goes_on(corpus: Path, unbroken: Path, tmp_path: Path) -> None:
    """Before the second stage has a state, and after its end but before the checkpoint of the whole run."""
    moved = after_dense(unbroken.parent, tmp_path / "moved")
    second = moved / "2-sparse"
    second.mkdir()
    shutil.copy(unbroken.parent / "2-sparse" / "config.json", second)  # its start lies elsewhere now
    checkpoint = train_recipe(small(corpus), moved)
    assert_same_weights(unbroken, checkpoint)
    shutil.rmtree(checkpoint)
    (second / "state.pt").unlink()
    begun: list[int] = []
    assert_same_weights(unbroken, train_recipe(small(corpus), moved, lambda n, _: begun.append(n)))
    assert begun == []


def test_a_folder_with_another_run_is_refused(corpus: Path, unbroken: Path, tmp_path: Path) -> None:
    run = unbroken.parent
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        train_recipe(small(corpus, epochs=3), run)
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        train_recipe(small(corpus), run / "1-dense")
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    recipe = read_recipe(copy)
    assert recipe is not None and recipe.stages[0].run == small(corpus).stages[0].run
    for content in ("", "[]", '{"name": "mesm"}', '{"name": "a", "size": "b", "stages": []}'):
        (copy / "recipe.json").write_text(content)
        with pytest.raises(DataError, match="delete it and give the command"):
            read_recipe(copy)
    shutil.copy(run / "recipe.json", copy)
    moved = shutil.copytree(corpus, tmp_path / "corpus")
    other = read_recipe(copy)
    assert other is not None
    with pytest.raises(DataError, match="is not there; give its new place with --corpus"):
        resume_recipe(copy, corpus=tmp_path / "gone")
    assert resume_recipe(copy, corpus=moved) == copy / "checkpoint"


def test_hidden_truth_is_not_read(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = store.from_row

    def without_truth(row: Row) -> object:
        assert "truth" not in row, "the truth is read"
        return read(row)

    known = CorpusFacts.of(Corpus(corpus))
    guided = small(corpus, known, epochs=1)
    assert guided.stage("sparse").run.train.attention.weight, "with known truth it would be read"
    with monkeypatch.context() as patch:
        patch.setattr(store, "from_row", without_truth)
        patch.setattr(known_truth, "np", None)
        with pytest.raises((AssertionError, AttributeError)):
            train_recipe(guided, tmp_path / "known")
        hidden = small(corpus, CorpusFacts.of(Corpus(corpus, hide_truth=True)), epochs=1).change_training(
            truth="hidden"
        )
        checkpoint = train_recipe(hidden, tmp_path / "hidden")
        with pytest.raises(ConfigError, match="has no known action units, regions and neutral faces"):
            train_recipe(guided.change_training(truth="hidden"), tmp_path / "both")
    metrics = load_checkpoint(checkpoint).metrics
    assert not metrics.trained_on_capabilities and metrics.train["truth"] == "hidden"
    assert Corpus(corpus).read("train00").truth is not None, "evaluation reads it all the same"
    assert Corpus(corpus, hide_truth=True).read("train00").truth is None
    assert TrainConfig.from_dict({"epochs": 3}).truth == "known", "as older versions stored it"


def test_the_command(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    recipe = ["train", "--recipe", "mesm", "--corpus", str(corpus), "--hide-truth"]
    assert main([*recipe, "--plan"]) == 0
    plan = capsys.readouterr().out
    assert plan.startswith("recipe mesm, size small: 2 stages\n") and "the dense model's saliency" in plan
    shape = ["width=0.0625", "head_dim=16", "transformer_dim=16", "transformer_layers=1", "transformer_feedforward=16"]
    options = [part for word in (*shape, "epochs=1", "batch_size=4") for part in ("--set", word)]
    out = tmp_path / "run"
    assert main([*recipe, *options, "--seed", "3", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out / 'checkpoint'}\n" and "stage 2 of 2, sparse: epoch 1" in printed.err
    assert "stage 2 of 2, sparse: 100% of all stages |" in printed.err
    assert load_checkpoint(out / "checkpoint").metrics.train["seed"] == 3
    for again in ([*recipe, *options, "--seed", "3", "--out", str(out)], ["train", "--resume", str(out)]):
        assert main(again) == 0
        assert capsys.readouterr().err == f"{out} was finished before; nothing was trained\n"
    for wrong, words in {
        "--recipe fe2e --preset marionette-fe2e": "give either --recipe",
        "--preset marionette-fe2e --size paper": "belong to --recipe",
        "--recipe fe2e --stage sparse": "has no stage 'sparse' here; it has dense",
        "--recipe mesm --cold": "--cold belongs to --recipe paper",
    }.items():
        assert main(["train", *wrong.split(), "--corpus", str(corpus), "--out", str(tmp_path / "x")]) == 2
        assert words in capsys.readouterr().err
    assert main(["train", "--resume", str(out), "--hide-truth"]) == 2
    assert "leave out --hide-truth" in capsys.readouterr().err
    start = ["--stage", "sparse", "--init", str(out / "1-dense" / "checkpoint")]
    assert main([*recipe, *options, *start, "--plan"]) == 0
    assert "1 stage" in (printed := capsys.readouterr().out) and "1 sparse, 1 epoch" in printed

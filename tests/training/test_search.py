"""A search over real small runs: the space's forms, resuming, pruning, bad values, and no look at the test split."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mesm.config import FE2EConfig, RunConfig, TrainConfig
from mesm.errors import BackendUnavailable, ConfigError, DataError
from mesm.training.progress import EpochReport, StepReport
from mesm.training.search import Search, read_space
from tests.training.corpora import LABELS, tinted_corpus

SMALL = FE2EConfig(
    labels=LABELS, modalities=("text",), width=0.125, head_dim=16, transformer_dim=16,
    transformer_layers=1, transformer_feedforward=16,
)  # fmt: skip
SPACE = {"train.lr": {"low": 1e-4, "high": 1e-1, "log": True}, "model.text_hidden": [0, 8]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    corpus = tinted_corpus(tmp_path_factory.mktemp("corpus") / "tinted", train=12, valid=8, test=0)
    return RunConfig(SMALL, TrainConfig(corpus=str(corpus), batch_size=8, epochs=2))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_forms_of_a_space(tmp_path: Path) -> None:
    toml = "[train]\nlr = {low = 1e-4, high = 1e-2, log = true}\ntop_p_range = [[], [0.3, 1.0]]\n[model]\ngate = ['soft']\n"
    found = read_space(written(tmp_path / "a.toml", toml))
    assert found == {
        "train.lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "train.top_p_range": [[], [0.3, 1.0]],
        "model.gate": ["soft"],
    }
    nested = "[train.attention]\nweight = [0, 2]\n"
    assert read_space(written(tmp_path / "b.toml", nested)) == {"train.attention.weight": [0, 2]}
    assert read_space(written(tmp_path / "a.json", '{"model": {"width": {"low": 0.1, "high": 1}}}')) == {
        "model.width": {"low": 0.1, "high": 1}
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"train": {"rate": [1]}}', "no setting 'rate'"),
        ('{"train": {"corpus": ["a"]}}', "no setting 'corpus'"),
        ('{"trainer": {"lr": [1]}}', "the parts model and train"),
        ('{"train": {"lr": 1}}', "a list of values"),
        ('{"train": {"attention": {"look": [1]}}}', "train.attention has no setting 'look'"),
        ('{"train": {"lr": {"low": 2, "high": 1}}}', "low must be below high"),
        ('{"train": {"lr": {"low": 0, "high": 1, "log": true}}}', "above 0"),
        ("{}", "names no setting"),
    ],
)
def test_a_bad_space_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_space(written(tmp_path / "bad.json", text))
    with pytest.raises(DataError, match="not a readable"):
        read_space(tmp_path / "absent.toml")


def test_values_reach_the_run(base: RunConfig) -> None:
    run = base.with_settings({"train.lr": "0.5", "train.top_p_range": "[0.3, 1.0]", "model.mel_scaling": '"power"'})
    assert (run.train.lr, run.train.top_p_range, run.model.mel_scaling) == (0.5, (0.3, 1.0), "power")
    mesm = base.with_settings({"model.name": '"mesm"', "model.gate": '"soft"'})
    assert mesm.model == base.model.as_model("mesm", gate="soft")


def test_a_search_without_a_test_split_ends_with_its_best(base: RunConfig, tmp_path: Path) -> None:
    search = Search(base, SPACE, tmp_path)
    seen = []
    search.run_trials(3, on_trial=seen.append)
    trials = search.trials()
    assert [t.number for t in trials] == [t.number for t in seen] == [0, 1, 2]
    assert all(1e-4 <= json.loads(t.values["train.lr"]) <= 1e-1 for t in trials)
    assert {t.values["model.text_hidden"] for t in trials} <= {"0", "8"}
    assert search.best().f1 == max(t.f1 for t in trials if t.f1 is not None)
    run = RunConfig.from_dict(json.loads((tmp_path / "trials" / "000" / "config.json").read_text()))
    assert run.train.lr == json.loads(trials[0].values["train.lr"])
    again = Search(base, SPACE, tmp_path)
    assert again.trials() == trials
    again.run_trials(4)
    assert len(again.trials()) == 4 and again.trials()[3].values != trials[0].values
    with pytest.raises(ConfigError, match="another search"):
        Search(base, {"train.lr": [0.1]}, tmp_path)


class Killed(BaseException):
    """Stands for the end of the process: nothing in between may catch it."""


def test_a_killed_trial_goes_on_where_it_was(base: RunConfig, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []

    def kill(report: StepReport | EpochReport) -> None:
        if isinstance(report, EpochReport):
            raise Killed
        steps.append((report.epoch, report.batch))

    with pytest.raises(Killed):
        Search(base, SPACE, tmp_path).run_trials(1, kill)
    before = list(steps)
    search = Search(base, SPACE, tmp_path)
    assert search.trials() == []

    def note(report: StepReport | EpochReport) -> None:
        if isinstance(report, StepReport):
            steps.append((report.epoch, report.batch))

    search.run_trials(1, note)
    (trial,) = search.trials()
    assert trial.state == "complete" and len(trial.epochs) == 2
    assert {e for e, _ in before} == {0} and {e for e, _ in steps[len(before) :]} == {1}
    assert [p.name for p in (tmp_path / "trials").iterdir()] == ["000"]


def test_values_that_cannot_work_fail_alone(base: RunConfig, tmp_path: Path) -> None:
    search = Search(base, {"train.schedule": ["cosine", "sine"]}, tmp_path, exhaustive=True)
    search.run_trials(2)
    states = {t.values["train.schedule"]: t for t in search.trials()}
    assert states['"cosine"'].state == "complete" and states['"sine"'].state == "failed"
    assert "schedule is 'sine'" in states['"sine"'].error
    assert search.best().values == {"train.schedule": '"cosine"'}


def test_exhaustive_means_every_combination_once(base: RunConfig, tmp_path: Path) -> None:
    space = {"train.batch_size": {"low": 4, "high": 8, "step": 4}, "train.lr": [0.01, 0.001]}
    quick = RunConfig(base.model, TrainConfig.from_dict(base.train.to_dict() | {"epochs": 1}))
    search = Search(quick, space, tmp_path, exhaustive=True)
    assert len(search.study.trials) == 4, "all are queued, none is left to the sampler"
    search.run_trials(4)
    tried = {(t.values["train.batch_size"], t.values["train.lr"]) for t in search.trials()}
    assert tried == {(b, lr) for b in ("4", "8") for lr in ("0.01", "0.001")}
    with pytest.raises(ConfigError, match="a range with a step"):
        Search(base, SPACE, tmp_path / "other", exhaustive=True)


def test_a_trial_far_below_the_others_is_stopped(base: RunConfig, tmp_path: Path) -> None:
    # Four good rates first, then one that never leaves the start.
    space = {"train.lr": [1e-9, 2e-2, 3e-2, 4e-2, 5e-2]}
    longer = RunConfig(base.model, TrainConfig.from_dict(base.train.to_dict() | {"epochs": 6}))
    search = Search(longer, space, tmp_path)
    for rate in ("0.02", "0.03", "0.04", "0.05", "1e-09"):
        search.study.enqueue_trial({"train.lr": rate})
    search.run_trials(5)
    states = [t.state for t in search.trials()]
    assert states[:4] == ["complete"] * 4 and states[4] == "pruned"
    assert 2 <= len(search.trials()[4].epochs) < 6


def test_without_optuna_the_package_is_named(base: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'mesm\[train\]"):
        Search(base, SPACE, tmp_path)

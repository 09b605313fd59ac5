"""Show the parts of the Runs page: the form that starts a run, the table of runs, their curves and controls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import streamlit as st

from mesm import runtime
from mesm.analysis.checkpoints import find_checkpoints
from mesm.data.corpora import find_corpora
from mesm.data.manifest import Manifest
from mesm.errors import DataError, MesmError
from mesm.figures.charts import PLOTLY_CONFIG
from mesm.presets import PRESETS
from mesm.records.training_log import EpochReport
from mesm.studies.learning.chart_data import learning_chart
from mesm.studies.learning.exports import CURVES_CAPTION, learning_export, runs_export
from mesm.studies.learning.screen import draw_learning_curves
from mesm.ui import export_menu, layout, state
from mesm.ui.runs import training_runs
from mesm.ui.runs.training_runs import FAILED, FINISHED, RUNNING, STOPPED, Run
from mesm.vocabulary import RECIPES, SIZES

POLL_S = 2
#: Runs that are shown at first, the newest.
FIRST_SHOWN = 3
NONE = "none: random weights"
_ERROR = "runs-error"
_ICONS = {RUNNING: "▶ running", FINISHED: "✓ finished", STOPPED: "‖ stopped", FAILED: "✗ failed"}


@dataclass(frozen=True)
class Field:
    """Hold a number of the form: its label, range and step, and how it is written."""

    label: str
    low: float
    high: float
    step: float
    form: str


#: Setting -> its field in the form.
FIELDS: dict[str, Field] = {
    "train.epochs": Field("Epochs", 1, 10000, 1, "%d"),
    "train.lr": Field("Learning rate", 0.0, 10.0, 1e-5, "%g"),
    "train.batch_size": Field("Batch size", 1, 4096, 1, "%d"),
    "model.width": Field("Width", 0.05, 4.0, 0.125, "%g"),
}


def list_training_corpora() -> dict[str, Path]:
    """Return the folders of the corpora with a training and a validation split."""
    folders = {}
    for name, folder in find_corpora().items():
        try:
            splits = Manifest.read(folder).splits
        except DataError:
            continue
        if splits.get("train") and splits.get("valid"):
            folders[name] = folder
    return folders


def show_start_form() -> None:
    """Show the form that starts a run: recipe or preset, corpus, seed, name, first weights, other settings."""
    corpora = list_training_corpora()
    with st.expander("Start a run", icon=":material/play_arrow:", expanded=not training_runs.list_runs(),
                     key="start-a-run"):  # fmt: skip
        if not corpora:
            layout.empty(
                "There is no corpus to train on: none has train and valid clips.",
                "Build one above, or with `mesm corpus build marionette --preset small --out "
                f"{runtime.workspace() / 'corpora' / 'small'}`.",
            )
            return
        # Values of "train again" are set before the widgets are made.
        for key, value in st.session_state.pop("again", {}).items():
            if key != "run-corpus" or value in corpora:
                st.session_state[key] = value
        left, right = st.columns(2, gap="medium")
        plan = left.selectbox(
            "Recipe or preset", [*RECIPES, *PRESETS], key="run-preset", filter_mode=None, format_func=_plan_words,
            help="A recipe plans its stages from what the corpus holds; a preset is one training with fixed settings.",
        )  # fmt: skip
        corpus = left.selectbox("Corpus with train and valid clips", list(corpora), key="run-corpus", filter_mode=None)
        size = left.segmented_control("Size", SIZES, default=SIZES[0], key="run-size") if plan in RECIPES else None
        hide_truth = left.checkbox(
            "Train on labels only, also where the corpus has more known truth", key="run-hide-truth"
        )
        if plan in RECIPES:
            with layout.one_sentence_errors():
                st.code("\n".join(_plan_lines(plan, str(corpora[corpus]), size or SIZES[0], hide_truth)), language=None)
        name = right.text_input("Name", key="run-name", placeholder="name of the run's folder", max_chars=60)
        checkpoints = find_checkpoints()
        init = right.selectbox(
            "Initial weights", [NONE, *checkpoints], key="run-init",
            help="Checkpoint whose weights the run starts from; a MESM starts from a trained FE2E.",
        )  # fmt: skip
        seed, fields = _show_fields(plan)
        text = st.text_area(
            "Other settings",
            key="run-settings",
            placeholder="model.dropout=0.2\ntrain.patience=3",
            help="One per line; they replace the plan's, in every stage. All names are in mesm/config.",
            height=80,
        )
        if st.button("Start", type="primary", icon=":material/play_arrow:"):
            with layout.one_sentence_errors():
                settings = training_runs.join_settings(fields, training_runs.parse_settings(text))
                folder = corpora[corpus]
                training_runs.start_run(
                    name.strip(), plan, folder, settings, seed, checkpoints.get(init),
                    size=size or SIZES[0], hide_truth=hide_truth,
                )  # fmt: skip
                st.session_state["shown-runs"] = [name.strip(), *st.session_state.get("shown-runs", [])][:6]
                st.rerun()


def _show_fields(plan: str) -> tuple[int, dict[str, str]]:
    """Show the numbers that are changed most, empty where the plan's are kept; return the seed, and settings by name."""
    planned = PRESETS[plan].flat() if plan in PRESETS else {}
    settings, columns = {}, st.columns(len(FIELDS) + 1)
    for column, (key, field) in zip(columns[1:], FIELDS.items(), strict=True):
        value = column.number_input(
            field.label, field.low, field.high, None, field.step, format=field.form, key=f"run-{key}",
            placeholder=f"{planned[key]:g}" if key in planned else "planned",
            disabled=bool(planned) and key not in planned,
        )  # fmt: skip
        if value is not None and not (planned and key not in planned):
            settings[key] = json.dumps(value)
    return int(columns[0].number_input("Seed", 0, 2**31 - 1, 0, key="run-seed")), settings


def _plan_words(plan: str) -> str:
    return f"recipe {plan}" if plan in RECIPES else plan


@st.cache_data(max_entries=16, show_spinner=False)
def _plan_lines(plan: str, folder: str, size: str, hide_truth: bool) -> list[str]:
    """Return what a recipe would train on a corpus, and what it would leave out, one line each."""
    return training_runs.planned_recipe(plan, Path(folder), size, hide_truth=hide_truth).lines()


def show_runs() -> None:
    """Show the runs of the workspace; they are read again every two seconds while one is running."""
    busy = any(run.status == RUNNING for run in training_runs.list_runs().values())
    st.fragment(_show_runs, run_every=POLL_S if busy else None)()


def _show_runs() -> None:
    runs = training_runs.list_runs()
    if not runs:
        layout.empty(
            "There is no run in this workspace yet.", "Runs of `mesm train` in it appear here, epoch by epoch."
        )
        return
    st.dataframe([_row(run) for run in runs.values()], hide_index=True, alt="The runs of this workspace")
    started = [(run.curves, run.config) for run in runs.values() if run.config is not None]
    if started:
        export_menu.offer(runs_export(started), "runs")
    if error := st.session_state.get(_ERROR):
        layout.say_error(error)
    chosen = [name for name in state.recall("runs").split(",") if name in runs] or list(runs)[:FIRST_SHOWN]
    st.session_state.setdefault("shown-runs", chosen)
    st.session_state["shown-runs"] = [name for name in st.session_state["shown-runs"] if name in runs]
    shown = st.multiselect("Compare", list(runs), key="shown-runs")
    state.remember("runs", ",".join(shown))
    if any(runs[name].epochs for name in shown):
        chart = learning_chart([runs[name].curves for name in shown])
        st.plotly_chart(
            draw_learning_curves(chart, state.dark()), theme=None, config=PLOTLY_CONFIG, key="curves", alt=chart.alt
        )
        st.caption(CURVES_CAPTION)
        export_menu.offer(learning_export([runs[name].curves for name in shown if runs[name].epochs]), "learning")
    elif shown:
        st.caption("The first epoch is not finished yet.")
    for name in shown:
        _show_controls(runs[name])


def _row(run: Run) -> dict[str, str | float | int | None]:
    last = run.epochs[-1] if run.epochs else EpochReport(-1)
    return {
        "run": run.name,
        "status": _ICONS[run.status],
        "epoch": f"{len(run.epochs)} of {run.planned_epochs or '?'}",
        "loss": last.loss,
        "valid F1": last.valid_f1,
        "valid WAcc": last.valid_wacc,
        "valid loss": last.valid_loss,
        "minutes": round(sum(run.epoch_seconds) / 60, 1) if run.epoch_seconds else None,
        "time left": _time_words(run.seconds_left),
        "model": run.config.model.name if run.config else "",
        "seed": run.config.train.seed if run.config else None,
    }


def _time_words(seconds: float | None) -> str:
    """Return an estimated time in words, such as "about 2 h 5 min"."""
    if seconds is None:
        return ""
    hours, minutes = divmod(round(seconds / 60), 60)
    return "under a minute" if not hours + minutes else f"about {f'{hours} h ' if hours else ''}{minutes} min"


def _show_controls(run: Run) -> None:
    """Show name, status, buttons, error sentence and settings of one run."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{layout.plain(run.name)}** {_ICONS[run.status]}", width="content")
        if run.status == RUNNING:
            _show_button("Stop", "stop", run, ":material/stop:")
        elif run.status in (STOPPED, FAILED) and run.config is not None:
            _show_button("Resume", "resume", run, ":material/resume:")
        if run.status == FINISHED and find_checkpoints().get(run.name) == run.folder / "checkpoint":
            # Another tab: in this visit the checkpoint that was chosen before would stay.
            st.link_button(
                "Open in Case studies", f"case_studies?checkpoint={quote(run.name)}", icon=":material/frame_person:"
            )
        if run.config is not None and not run.plan:
            st.button(
                "Train again with these settings",
                key=f"again-{run.name}",
                icon=":material/replay:",
                on_click=_fill_form,
                args=(run,),
            )
        if run.status != RUNNING:
            _show_rename(run)
            _show_delete(run)
    if run.failure:
        layout.say_error(DataError(run.failure))
    if run.plan:
        with st.expander("Stages of the recipe", key=f"stages-{run.name}"):
            st.code("\n".join(run.plan), language=None)
    elif run.config is not None:
        with st.expander("Settings that differ from the preset", key=f"settings-{run.name}"):
            preset, settings = training_runs.nearest_preset(run.config)
            st.code("\n".join([f"preset {preset}", *(f"{k}={v}" for k, v in settings.items())]), language=None)


def _show_rename(run: Run) -> None:
    with st.popover("Rename", icon=":material/edit:", key=f"renaming-{run.name}"):
        st.text_input("New name", key=f"new-name-{run.name}", placeholder=run.name, max_chars=60)
        st.button("Rename the run", key=f"rename-{run.name}", on_click=_rename, args=(run,))


def _show_delete(run: Run) -> None:
    with st.popover("Delete", icon=":material/delete:", key=f"deleting-{run.name}"):
        st.markdown(f"Delete run **{layout.plain(run.name)}** with its checkpoint and its log? It cannot be undone.")
        st.button("Delete the run", key=f"delete-{run.name}", type="primary", on_click=_delete, args=(run,))


def _rename(run: Run) -> None:
    name = st.session_state[f"new-name-{run.name}"].strip()
    if _try(lambda: training_runs.rename_run(run, name)):
        st.session_state["shown-runs"] = [name if n == run.name else n for n in st.session_state["shown-runs"]]


def _delete(run: Run) -> None:
    if _try(lambda: training_runs.delete_run(run)):
        st.session_state["shown-runs"] = [n for n in st.session_state["shown-runs"] if n != run.name]


def _try(change: Callable[[], None]) -> bool:
    """Return whether a change succeeded; its error stands on the page until the next change."""
    st.session_state.pop(_ERROR, None)
    try:
        change()
    except MesmError as error:
        st.session_state[_ERROR] = error
        return False
    return True


def _show_button(label: str, verb: str, run: Run, icon: str) -> None:
    if st.button(label, key=f"{verb}-{run.name}", icon=icon):
        with layout.one_sentence_errors():
            if verb == "stop":
                training_runs.stop_run(run)
            else:
                training_runs.resume_run(run)
            st.rerun()


def _fill_form(run: Run) -> None:
    """Fill the form with a run's settings, the next seed and the next name."""
    assert run.config is not None
    preset, settings = training_runs.nearest_preset(run.config)
    seed = run.config.train.seed + 1
    corpus = Path(run.config.train.corpus)
    names = {folder.resolve(): name for name, folder in list_training_corpora().items()}
    inits = {folder.resolve(): name for name, folder in find_checkpoints().items()}
    init = Path(run.config.train.init_from).resolve() if run.config.train.init_from else None
    by_field: dict[str, float | None] = {f"run-{key}": None for key in FIELDS}
    for key, field in FIELDS.items():
        if field.low <= json.loads(settings.get(key, "-1")) <= field.high:  # another value stays among the lines
            by_field[f"run-{key}"] = json.loads(settings.pop(key))
    st.session_state["again"] = by_field | {
        "run-preset": preset,
        "run-corpus": names.get(corpus.resolve(), ""),
        "run-seed": seed,
        "run-name": _next_name(run.name, seed),
        "run-init": inits.get(init, NONE) if init else NONE,
        "run-settings": "\n".join(f"{k}={v}" for k, v in settings.items()),
    }


def _next_name(name: str, seed: int) -> str:
    base = name.rsplit("-seed", 1)[0]
    free, number = f"{base}-seed{seed}", 2
    while (training_runs.runs_folder() / free).exists():
        free, number = f"{base}-seed{seed}-{number}", number + 1
    return free

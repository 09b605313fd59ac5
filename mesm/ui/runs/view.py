"""Starting a run, watching its curves grow, stopping it, comparing it with others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from mesm import runtime
from mesm.analysis.checkpoints import find_checkpoints
from mesm.data.manifest import Manifest
from mesm.errors import DataError
from mesm.figures.charts import PLOTLY_CONFIG
from mesm.presets import PRESETS
from mesm.studies.learning import exports as exhibits
from mesm.studies.learning.screen import chart_learning_curves
from mesm.ui import export_menu, layout, state
from mesm.ui.corpora import list_corpora
from mesm.ui.runs import processes as runs
from mesm.ui.runs.processes import FAILED, FINISHED, RUNNING, STOPPED, Run

POLL_S = 2
#: Runs that are shown at first, the newest.
FIRST_SHOWN = 3
NONE = "its own first weights"
_ICONS = {RUNNING: "▶ running", FINISHED: "✓ finished", STOPPED: "‖ stopped", FAILED: "✗ failed"}


def corpora_to_train_on() -> dict[str, Path]:
    """Those with a training and a validation split."""
    found = {}
    for name, folder in list_corpora().items():
        try:
            splits = Manifest.read(folder).splits
        except DataError:
            continue
        if splits.get("train") and splits.get("valid"):
            found[name] = folder
    return found


def start_form() -> None:
    """What to train, on what, from where."""
    corpora = corpora_to_train_on()
    with st.expander("Start a run", icon=":material/play_arrow:", expanded=not runs.find_runs(), key="start-a-run"):
        if not corpora:
            layout.empty(
                "There is no corpus to train on: none has train and valid clips.",
                "This renders one of 240 clips: "
                f"`mesm corpus build marionette --preset small --out {runtime.workspace() / 'corpora' / 'small'}`",
            )
            return
        # What "train again" filled in is taken over before the widgets are made.
        for key, value in st.session_state.pop("again", {}).items():
            if key != "run-corpus" or value in corpora:
                st.session_state[key] = value
        left, right = st.columns(2, gap="medium")
        preset = left.selectbox("Preset", list(PRESETS), key="run-preset", filter_mode=None)
        corpus = left.selectbox("Corpus with train and valid clips", list(corpora), key="run-corpus", filter_mode=None)
        seed = left.number_input("Seed", 0, 2**31 - 1, 0, key="run-seed")
        name = right.text_input("Name", key="run-name", placeholder="of its folder", max_chars=60)
        checkpoints = find_checkpoints()
        init = right.selectbox(
            "Start from the weights of", [NONE, *checkpoints], key="run-init", help="MESM starts from a trained FE2E."
        )
        text = right.text_area(
            "Other settings",
            key="run-settings",
            placeholder="train.epochs=3\nmodel.width=0.5",
            help="One a line, on top of the preset's; see mesm/config.py.",
            height=100,
        )
        if st.button("Start", type="primary", icon=":material/play_arrow:"):
            with layout.one_sentence_errors():
                settings = runs.parse_settings(text)
                runs.start(name.strip(), preset, corpora[corpus], settings, int(seed), checkpoints.get(init))
                st.session_state["shown-runs"] = [name.strip(), *st.session_state.get("shown-runs", [])][:6]
                st.rerun()


def live() -> None:
    """The runs; read again every two seconds while one of them goes on."""
    busy = any(run.status == RUNNING for run in runs.find_runs().values())
    st.fragment(_runs, run_every=POLL_S if busy else None)()


def _runs() -> None:
    found = runs.find_runs()
    if not found:
        layout.empty(
            "There is no run in this workspace yet.", "What `mesm train` makes in it shows here, epoch by epoch."
        )
        return
    st.dataframe([_row(run) for run in found.values()], hide_index=True, alt="The runs of this workspace")
    known = {run.name: (run.epochs, run.config.to_dict()) for run in found.values() if run.config is not None}
    if known:
        export_menu.offer(exhibits.runs_table(known), "runs")
    chosen = [name for name in state.recall("runs").split(",") if name in found] or list(found)[:FIRST_SHOWN]
    st.session_state.setdefault("shown-runs", chosen)
    st.session_state["shown-runs"] = [name for name in st.session_state["shown-runs"] if name in found]
    shown = st.multiselect("Compare", list(found), key="shown-runs")
    state.remember("runs", ",".join(shown))
    if any(found[name].epochs for name in shown):
        st.plotly_chart(
            chart_learning_curves({name: found[name].epochs for name in shown}, state.dark()),
            theme=None,
            config=PLOTLY_CONFIG,
            key="curves",
            alt=f"Learning curves of {', '.join(shown)}: training loss, and F1, WAcc and AUC of the validation split.",
        )
        st.caption(
            "Left: loss on the training split. Right: scores on the validation split; the ring marks the best F1."
        )
        export_menu.offer(
            exhibits.learning({name: found[name].epochs for name in shown if found[name].epochs}), "learning"
        )
    elif shown:
        st.caption("The first epoch is not over yet.")
    for name in shown:
        _manage(found[name])


def _row(run: Run) -> dict[str, Any]:
    last = run.epochs[-1] if run.epochs else {}
    return {
        "run": run.name,
        "status": _ICONS[run.status],
        "epoch": f"{len(run.epochs)} of {run.wanted_epochs or '?'}",
        "loss": last.get("loss"),
        "valid F1": last.get("valid_f1"),
        "valid WAcc": last.get("valid_wacc"),
        "minutes": round(last["seconds"] / 60, 1) if last.get("seconds") else None,
        "model": run.config.model.name if run.config else "",
        "seed": run.config.train.seed if run.config else None,
    }


def _manage(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{layout.plain(run.name)}** {_ICONS[run.status]}", width="content")
        if run.status == RUNNING:
            _button("Stop", "stop", run, ":material/stop:")
        elif run.status in (STOPPED, FAILED) and run.config is not None:
            _button("Resume", "resume", run, ":material/resume:")
        if run.config is not None:
            st.button(
                "Train again with these settings",
                key=f"again-{run.name}",
                icon=":material/replay:",
                on_click=_fill_in,
                args=(run,),
            )
    if run.said:
        layout.say_error(DataError(run.said))
    if run.config is not None:
        with st.expander("Settings that differ from the preset", key=f"settings-{run.name}"):
            preset, departures = runs.nearest_preset(run.config)
            st.code("\n".join([f"preset {preset}", *(f"{k}={v}" for k, v in departures.items())]), language=None)


def _button(label: str, verb: str, run: Run, icon: str) -> None:
    if st.button(label, key=f"{verb}-{run.name}", icon=icon):
        with layout.one_sentence_errors():
            if verb == "stop":
                runs.stop(run)
            else:
                runs.resume(run)
            st.rerun()


def _fill_in(run: Run) -> None:
    """Put a run's settings into the form; the name and the seed are the next ones."""
    assert run.config is not None
    preset, departures = runs.nearest_preset(run.config)
    seed = run.config.train.seed + 1
    corpus = Path(run.config.train.corpus)
    names = {folder.resolve(): name for name, folder in corpora_to_train_on().items()}
    inits = {folder.resolve(): name for name, folder in find_checkpoints().items()}
    init = Path(run.config.train.init_from).resolve() if run.config.train.init_from else None
    values: Mapping[str, Any] = {
        "run-preset": preset,
        "run-corpus": names.get(corpus.resolve(), ""),
        "run-seed": seed,
        "run-name": _next_name(run.name, seed),
        "run-init": inits.get(init, NONE) if init else NONE,
        "run-settings": "\n".join(f"{k}={v}" for k, v in departures.items()),
    }
    st.session_state["again"] = dict(values)


def _next_name(name: str, seed: int) -> str:
    base = name.rsplit("-seed", 1)[0]
    found, number = f"{base}-seed{seed}", 2
    while (runs.folder() / found).exists():
        found, number = f"{base}-seed{seed}-{number}", number + 1
    return found

"""Costs on this machine: fitted to what was measured, kept in a file that may be lost, and never asked for in vain."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mesm.cli import main
from mesm.sparse import calibration
from mesm.sparse.backend_costs import COSTS, BackendCosts, ConvCosts
from mesm.sparse.calibration import Cell, costs_here, fit, judge, measure

CPU, FLOAT = torch.device("cpu"), torch.float32
TRUE: BackendCosts = {"dense": ConvCosts(5e4, 0.03, 2.0, 0.0), "fused": ConvCosts(2e5, 0.05, 0.5, 1.0)}
#: Small convolutions, so that a test measures for milliseconds.
SMALL = ((4, 8, 6, 6, 1, 0.5), (8, 8, 6, 6, 2, 0.9), (8, 16, 3, 3, 1, 1.0), (16, 4, 6, 6, 3, 0.4))


def made_cells(costs: BackendCosts) -> list[Cell]:
    cells = []
    for c_in, c_out, positions, pairs in (
        (16, 32, 9216, 60_000),
        (128, 128, 1152, 8000),
        (512, 512, 72, 190),
        (64, 64, 36, 9),
    ):
        dense = costs["dense"].ns(positions, 9 * c_in * c_out, c_in, c_out)
        fused = costs["fused"].ns(pairs, c_in * c_out, c_in, c_out)
        cells.append(Cell(c_in, c_out, positions, pairs, {"dense": dense / 1e6, "fused": fused / 1e6}))
    return cells


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MESM_CALIBRATION", raising=False)
    monkeypatch.setattr(calibration, "_known", {})
    monkeypatch.setattr(calibration, "CELLS", SMALL)


def test_the_fit_finds_the_costs_that_made_the_times() -> None:
    costs = fit(made_cells(TRUE))
    for name, true in TRUE.items():
        for constant in ("call", "mac", "row_float", "weight"):
            assert getattr(costs[name], constant) == pytest.approx(getattr(true, constant), rel=0.02, abs=1e-3)
    assert judge(costs, made_cells(TRUE)) == (1.0, 1.0)


def test_a_wrong_choice_is_counted() -> None:
    cells = made_cells(TRUE)
    swapped = {"dense": TRUE["fused"], "fused": ConvCosts(1e12, 0, 0, 0)}
    mean, worst = judge(swapped, cells)
    assert worst == max(c.ms["dense"] / min(c.ms.values()) for c in cells) and 1 < mean < worst


def test_no_constant_is_negative() -> None:
    odd = [Cell(4, 4, 100 * i, 100 * i, {"dense": 1.0 / i}) for i in range(1, 6)]
    costs = fit(odd)["dense"]
    assert min(costs.call, costs.mac, costs.row_float, costs.weight) >= 0


def test_every_backend_of_the_processor_is_timed() -> None:
    cells = measure(CPU, FLOAT)
    assert len(cells) == len(SMALL) and all(set(c.ms) == {"dense", "fused"} for c in cells)
    assert all(ms > 0 for c in cells for ms in c.ms.values())
    assert len(measure(CPU, FLOAT, SMALL * 3, budget_s=0)) == 4, "the budget ends it, but not before four"


def test_costs_are_measured_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = costs_here(CPU, FLOAT)
    monkeypatch.setattr(calibration, "measure", lambda *a: pytest.fail("measured again"))
    assert costs_here(CPU, FLOAT) is costs
    monkeypatch.setattr(calibration, "_known", {})
    assert costs_here(CPU, FLOAT) == costs, "from the file"


@pytest.mark.parametrize("content", [b"", b"{", b'{"costs": 3}', b"\xff\xfe"])
def test_a_broken_file_costs_a_calibration(content: bytes) -> None:
    calibration.path().parent.mkdir()
    calibration.path().write_bytes(content)
    costs = costs_here(CPU, FLOAT)
    assert costs is not None and calibration._read()[calibration.key(CPU, FLOAT)] == costs


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mesm").write_text("a file in the place of the folder")
    assert costs_here(CPU, FLOAT) is costs_here(CPU, FLOAT)


def test_other_threads_are_other_costs() -> None:
    before, threads = calibration.key(CPU, FLOAT), torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert calibration.key(CPU, FLOAT) != before
    finally:
        torch.set_num_threads(threads)


def test_nothing_is_measured_where_there_is_no_choice_or_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "measure", lambda *a: pytest.fail("measured"))
    assert costs_here(CPU, torch.float64) is None and costs_here(CPU, torch.bfloat16) is None
    monkeypatch.setenv("MESM_CALIBRATION", "off")
    assert costs_here(CPU, FLOAT) is COSTS["cpu", "float32"]


def test_the_command_shows_and_renews(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["calibrate", "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "GMAC/s" in shown and "512 -> 512" in shown and str(calibration.path()) in shown
    measured = []
    real = calibration.measure
    monkeypatch.setattr(calibration, "measure", lambda *a: measured.append(a) or real(*a))
    assert main(["calibrate", "--device", "cpu"]) == 0 and not measured
    assert main(["calibrate", "--device", "cpu", "--renew"]) == 0 and len(measured) == 1
    assert main(["calibrate", "--device", "cpu", "--dtype", "bfloat16"]) == 0
    assert "only dense runs" in capsys.readouterr().out

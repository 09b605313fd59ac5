"""Random SIGKILLs of what writes: a job that is finished afterwards equals an unbroken one, byte for byte.

MESM_KILLS=100 sets the number of kills of each job (2 without it), MESM_KILLS_SEED their moments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kills import JOBS

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_killed_and_finished(job: str, tmp_path: Path) -> None:
    kills = os.environ.get("MESM_KILLS", "2")
    command = [sys.executable, "-m", "tests.kills", job, str(tmp_path), kills, os.environ.get("MESM_KILLS_SEED", "0")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    print(job, done.stdout)
    assert json.loads(done.stdout.splitlines()[-1])["kills"] >= int(kills)

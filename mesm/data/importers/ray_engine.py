"""Run the chunks of an import through Ray Data, on one machine or many. The only file that imports ray.

Workers need the release at the same path, e.g. on shared storage. They return rows of the store; the driver writes
them in order, so that the corpus is that of the local engine. A chunk whose worker was lost is made again elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import pyarrow as pa

from mesm.data.importers.decode import Outcome, Settings
from mesm.data.importers.plan import Problem
from mesm.data.importers.workers import Chunk, make_chunk, one_thread
from mesm.data.parquet_schema import from_row, row_schema, to_row
from mesm.data.sources import SourceFacts
from mesm.errors import BackendUnavailable


def run_ray(chunks: Sequence[Chunk], settings: Settings, workers: int) -> Iterator[Outcome]:
    """Run chunks as tasks of a Ray cluster: the connected one, else one of `workers` processes on this machine.

    Raises:
        BackendUnavailable: ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise BackendUnavailable('--engine ray needs Ray Data; pip install "mesm[ray]"') from error
    if not ray.is_initialized():
        ray.init(num_cpus=max(workers, 1), include_dashboard=False, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    labels = next((tuple(u.labels) for chunk in chunks for u in chunk if u.labels is not None), ())
    held = ray.put([list(chunk) for chunk in chunks])

    def work(row: dict[str, int]) -> dict[str, bytes]:
        one_thread()
        return {"outcomes": pack(make_chunk(ray.get(held)[row["item"]], settings), labels)}

    numbers = ray.data.from_items(list(range(len(chunks))), override_num_blocks=len(chunks))
    for row in numbers.map(work).iter_rows():
        yield from unpack(row["outcomes"])


def pack(outcomes: Sequence[Outcome], labels: tuple[str, ...]) -> bytes:
    """Write outcomes as an Arrow stream: rows of the store, the rest as JSON in the schema's metadata."""
    rest = [
        {"id": o.id, "facts": asdict(o.facts), "problem": None if o.problem is None else asdict(o.problem)}
        for o in outcomes
    ]
    schema = row_schema(labels).with_metadata({"outcomes": json.dumps(rest)})
    rows = [to_row(outcome.sample, labels) for outcome in outcomes if outcome.sample is not None]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_table(pa.Table.from_pylist(rows, schema=schema))
    return bytes(sink.getvalue().to_pybytes())


def unpack(data: bytes) -> list[Outcome]:
    """Return the outcomes that `pack` was given."""
    table = pa.ipc.open_stream(data).read_all()
    samples = iter([from_row(row) for row in table.to_pylist()])
    outcomes = []
    for rest in json.loads(table.schema.metadata[b"outcomes"]):
        problem = None if rest["problem"] is None else Problem(**rest["problem"])
        sample = next(samples) if problem is None else None
        outcomes.append(Outcome(rest["id"], SourceFacts(**rest["facts"]), sample, problem))
    return outcomes

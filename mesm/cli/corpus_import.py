"""`mesm corpus import`: store a release as a corpus; `mesm corpus split`: copy a corpus with other splits."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mesm.estimate import counted

NAMES = (
    "iemocap", "mosei", "mesm-processed", "meld", "ravdess", "crema-d", "voices", "faces", "sentences", "manifest",
)  # fmt: skip
EXAMPLE = """examples:
  mesm corpus import iemocap IEMOCAP_full_release corpora/iemocap --dry-run
  mesm corpus import iemocap IEMOCAP_full_release corpora/iemocap --splits lists:IEMOCAP_SPLIT
  mesm corpus import mesm-processed DOWNLOAD corpora/mosei --part mosei
  mesm corpus import manifest clips.csv corpora/mine --splits speaker
  mesm corpus import voices EmoDB/wav corpora/emodb
  mesm corpus import faces fer2013_train.parquet corpora/fer2013
  mesm corpus import sentences goemotions/data corpora/goemotions
  mesm corpus split corpora/iemocap corpora/iemocap-5 --splits session:Ses05
"""
_SPLITS = (
    "own, random (70/10/20), speaker, dialogue or session (none in two splits), lists:FOLDER "
    "(train_split.txt, ...), or session:NAME to test on one"
)


def add_import(parts: Any) -> None:
    """Add the subcommand `import`."""
    parser = parts.add_parser(
        "import",
        help="store a public or own corpus from its release's folder",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES, help="layout of the release")
    parser.add_argument("source", metavar="SRC", help="folder of the release; for manifest, the CSV or JSONL")
    parser.add_argument("out", metavar="OUT", help="folder of the corpus; an interrupted import is resumed")
    parser.add_argument("--dry-run", action="store_true", help="report what would be stored; write nothing")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument(
        "--part", default="", choices=["iemocap", "mosei"], help="corpus to import where mesm-processed has both"
    )
    parser.add_argument("--splits", default="", metavar="RULE", help=f"{_SPLITS}; default: the corpus's own splits")
    parser.add_argument("--seed", type=int, default=0, help="seed of random splits")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes; 0 = in this one")
    parser.add_argument("--engine", choices=["local", "ray"], default="local", help="ray: on a cluster")
    parser.add_argument("--large-px", type=int, default=96, metavar="N", help="side of the crops for display; 0 = none")
    parser.add_argument("--name", dest="corpus_name", default="", help="name of the corpus, for example fer2013")
    for fact in _FACTS:
        parser.add_argument(f"--{fact}", default="", help=f"{fact} of the release, for corpus and model cards")
    parser.add_argument("--max-minutes", type=float, default=10.0, metavar="M", help="longest utterance")
    parser.add_argument(
        "--keep-incomplete",
        action="store_true",
        help="store utterances without words, picture, sound or label too; those without a label are in no split",
    )


#: Facts that a model card states of each source; a known release has its own.
_FACTS = ("licence", "citation")


def add_split(parts: Any) -> None:
    """Add the subcommand `split`."""
    parser = parts.add_parser("split", help="copy a corpus with other splits")
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--splits", required=True, metavar="RULE", help=_SPLITS)
    parser.add_argument("--seed", type=int, default=0)


def run_import(arguments: argparse.Namespace) -> int:
    """Report or store."""
    from mesm.data.importers import find_release
    from mesm.data.importers.decode import Settings
    from mesm.data.importers.engine import import_release
    from mesm.data.importers.report import dry_run, dry_run_text
    from mesm.errors import ConfigError
    from mesm.files import check_name
    from mesm.json_form import to_json

    if arguments.part and arguments.name != "mesm-processed":
        raise ConfigError(f"--part is for mesm-processed; {arguments.name} has no parts")
    options = {"part": arguments.part} if arguments.name == "mesm-processed" else {}
    release = find_release(arguments.name, arguments.source, **options)
    if arguments.corpus_name:
        check_name("corpus", arguments.corpus_name)
    facts = {fact: getattr(arguments, fact) for fact in _FACTS if getattr(arguments, fact)}
    release = replace(release, name=arguments.corpus_name or release.name, meta={**release.meta, **facts})
    settings = Settings(arguments.large_px, arguments.keep_incomplete, arguments.max_minutes)
    if arguments.dry_run:
        preview = dry_run(release, rule=arguments.splits, seed=arguments.seed, settings=settings)
        print(json.dumps(to_json(preview), indent=1) if arguments.json else dry_run_text(preview))
        return 0
    report = import_release(
        release,
        arguments.source,
        arguments.out,
        rule=arguments.splits,
        seed=arguments.seed,
        settings=settings,
        workers=arguments.workers,
        engine=arguments.engine,
        count_tokens=_token_counter(),
    )
    print(json.dumps(vars(report), indent=1) if arguments.json else _report_text(report, arguments.out))
    return 0


def run_split(arguments: argparse.Namespace) -> int:
    """Copy with other splits."""
    from mesm.data.importers.resplit import resplit

    corpus = resplit(arguments.folder, arguments.out, arguments.splits, arguments.seed)
    print(f"{counted(len(corpus), 'clip')} in {arguments.out}: {_in_order(corpus.manifest.splits)}")
    return 0


def _in_order(splits: Mapping[str, int]) -> str:
    """Split and clips, the usual three first."""
    from mesm.vocabulary import order_splits

    return ", ".join(f"{split or '(none)'} {splits[split]}" for split in order_splits(splits))


def _token_counter() -> Any:
    """Count the number of tokens of a text by the bundled MiniLM's tokeniser; ALBERT's differs by a few."""
    from mesm.config import ModelConfig
    from mesm.layers.text import TextEncoder

    tokenizer = TextEncoder(ModelConfig()).tokenizer
    return lambda text: len(tokenizer(text)["input_ids"])


def _report_text(report: Any, out: str) -> str:
    from mesm.data.importers.plan import incomplete_hint

    before = f" ({report.stored_before} of them before)" if report.stored_before else ""
    lines = [f"{report.name}: {report.utterances} utterances found, {report.stored} stored in {out}{before}"]
    kept_out = sum(report.quarantined.values())
    listed = f", listed with reasons in {out}/quarantine.jsonl" if kept_out else ""
    lines.append(f"  quarantined  {kept_out}{listed}")
    lines += [f"    {reason:<20}{count:>7}" for reason, count in report.quarantined.items()]
    lines += [f"    {hint}" for hint in [incomplete_hint(report.quarantined)] if hint]
    lines.append("  splits       " + _in_order(report.clips))
    lines.append("  labels       " + ", ".join(f"{label} {n}" for label, n in report.present.items()))
    lines.append("  flags        " + (", ".join(f"{flag} {n}" for flag, n in report.flags.items()) or "none"))
    return "\n".join(lines)

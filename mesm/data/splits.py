"""Assign clips to splits: lists, seeded shares, people or dialogues kept apart, one session left out.

A rule is a word, so that it fits a command line and a manifest:
    lists:FOLDER   the ids in {train,valid,test}_split.txt of a folder, one a line (the authors' form)
    own            the corpus's own splits
    random         70/10/20 over the utterances, which is the paper's IEMOCAP split; people and dialogues are shared
    speaker        70/10/20 with every speaker in one split only; `dialogue` and `session` likewise
    session:NAME   test on this session, validate on the next, train on the others; also speaker:NAME, dialogue:NAME
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mesm.data.text_files import read_text
from mesm.errors import ConfigError, DataError
from mesm.vocabulary import SPLITS

#: Train, valid, test (paper, section 3).
SHARES: tuple[float, float, float] = (0.7, 0.1, 0.2)
#: Facts about a clip that a split can keep together.
GROUPS = ("speaker", "dialogue", "session")
RULES = ("own", "random", *GROUPS)
_RULE_HELP = "use own, random, speaker, dialogue, session, lists:FOLDER, or session:NAME (also speaker:, dialogue:) to test on one"


def assign_splits(clips: Sequence[Mapping[str, str]], rule: str, seed: int = 0) -> dict[str, str]:
    """Map Clip id -> split.

    Args:
        clips: each with `id`, and `split`, `speaker`, `dialogue`, `session` where known ("" otherwise).
        rule: see the head of this file.
        seed: of `random` and of the disjoint rules.

    Returns:
        A split for every clip; "" for one that `own` or the lists do not name.

    Raises:
        ConfigError: there is no such rule.
        DataError: the clips lack what the rule needs.
    """
    kind, _, name = rule.partition(":")
    if kind == "lists" and name:
        listed = read_lists(name)
        return {clip["id"]: listed.get(clip["id"], "") for clip in clips}
    if rule == "own":
        return {clip["id"]: clip.get("split", "") for clip in clips}
    if rule == "random":
        return random_split([clip["id"] for clip in clips], seed)
    if kind not in GROUPS:
        raise ConfigError(f"there is no split rule {rule!r}; {_RULE_HELP}")
    groups = {clip["id"]: clip.get(kind, "") for clip in clips}
    unknown = [clip_id for clip_id, group in groups.items() if not group]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(groups)} clips have no {kind} (the first is {unknown[0]!r}), so that splits cannot "
            f"be kept apart by it; use another rule"
        )
    return leave_one_out(groups, name) if name else disjoint_split(groups, seed)


def read_lists(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Map Clip id -> split, from `train_split.txt`, `valid_split.txt` and `test_split.txt`.

    Raises:
        DataError: a list is missing, or a clip is in two of them.
    """
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = Path(folder) / f"{split}_split.txt"
        if not path.is_file():
            raise DataError(f"{path} is missing; give the folder with train_split.txt, valid_split.txt, test_split.txt")
        for line in read_text(path).splitlines():
            clip_id = line.strip()
            if split_of.setdefault(clip_id, split) != split:
                raise DataError(f"{clip_id!r} is in both the {split_of[clip_id]} and the {split} list; mend the lists")
    split_of.pop("", None)
    return split_of


def _counts(clips: int) -> list[int]:
    """Return the clips of each split, whole numbers that add up; a few clips still make a valid and a test split."""
    least = int(clips >= len(SPLITS))
    test, valid = (max(round(clips * share), least) for share in (SHARES[2], SHARES[1]))
    return [clips - valid - test, valid, test]


def random_split(clip_ids: Sequence[str], seed: int) -> dict[str, str]:
    """Split 70/10/20 over the clips; the same for the same ids in any order."""
    ids = sorted(clip_ids)
    order = np.random.default_rng(seed).permutation(len(ids))
    names = [split for split, count in zip(SPLITS, _counts(len(ids)), strict=True) for _ in range(count)]
    return {ids[place]: name for place, name in zip(order, names, strict=True)}


def disjoint_split(groups: Mapping[str, str], seed: int) -> dict[str, str]:
    """Assign about 70/10/20 of the clips, with no group in two splits.

    Groups are dealt out in random order, each to the split that lacks the largest share of its due.
    """
    sizes: dict[str, int] = defaultdict(int)
    for group in groups.values():
        sizes[group] += 1
    if len(sizes) < len(SPLITS):
        raise DataError(
            f"{len(SPLITS)} splits need as many speakers, dialogues or sessions, and there are {len(sizes)} "
            f"({', '.join(sizes)}); divide by clips with --splits random, or by lists with --splits lists:FOLDER"
        )
    names = sorted(sizes)
    shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    due = {split: share * len(groups) for split, share in zip(SPLITS, SHARES, strict=True)}
    got = dict.fromkeys(SPLITS, 0)
    where: dict[str, str] = {}
    for number, group in enumerate(shuffled):
        empty = [split for split in SPLITS if not got[split]]
        open_splits = empty if len(shuffled) - number <= len(empty) else SPLITS
        split = max(open_splits, key=lambda s: (due[s] - got[s]) / due[s])
        where[group] = split
        got[split] += sizes[group]
    return {clip_id: where[group] for clip_id, group in groups.items()}


def leave_one_out(groups: Mapping[str, str], test: str) -> dict[str, str]:
    """Test on one group, validate on the next in alphabetical order (round again), train on all others."""
    names = sorted(set(groups.values()))
    # "5", "05" and "Ses05" all name the fifth session.
    matches = [n for n in names if n == test] or [n for n in names if _digits(n) == _digits(test) != ""]
    if len(matches) != 1:
        raise DataError(f"there is no {test!r} to test on; there are {', '.join(names)}")
    if len(names) < len(SPLITS):
        raise DataError(f"there are only {len(names)} groups ({', '.join(names)}); leaving one out needs 3")
    valid = names[(names.index(matches[0]) + 1) % len(names)]
    part = {matches[0]: "test", valid: "valid"}
    return {clip_id: part.get(group, "train") for clip_id, group in groups.items()}


def _digits(name: str) -> str:
    return "".join(c for c in name if c.isdigit()).lstrip("0")

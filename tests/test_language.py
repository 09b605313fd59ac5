"""One language: docstrings start with a verb, texts use the field's words, and the glossary's files exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = [*sorted((ROOT / "mesm").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py")), ROOT / "app.py"]

#: A docstring states what the code does: it begins with a verb, so not with one of these.
NO_VERBS = (
    r"a|all|an|any|as|by|each|every|for|from|how|if|in|it|its|nobody|of|on|one|own|that|"
    r"the|their|these|they|this|those|three|to|two|what|when|where|whether|which|who|whose|"
    r"why|with"
)
#: Nor with a noun: "Scores of a clip." is "Hold the scores of a clip." These began docstrings once.
NOUNS = (
    r"agreement|areas|attention|base|boxes|choices|common|data|description|effect|exports|"
    r"frames|lines|metrics|models|names|number|numbers|options|output|parts|points|records|"
    r"results|rows|scores|settings|sizes|table|tables|title|values"
)
#: Code and texts do not speak, look or know; these verbs hide who computes what.
PERSONIFIED = r"\b(ask(s|ed|ing)?|tells?|told|says?|said|knows|nobody|looks? at|anew|steer(s|ed|ing)?|shelf|taught)\b"
#: Sentences that readers of the pages had to read twice; each has a plain one in its place.
RIDDLES = (
    "are you relevant",
    "three times over",
    "answers come back",
    "asked with nothing",
    "hardly moves",
    "looks with these words",
    "learnt nothing",
    "speak through the mask",
    "shows in:",
    "points less often",
    "hollow signs",
    "one alone",
    "multiple of an even share",
    "without both answers",
    "cannot be had from here",
    "going down from 1",
)
#: Sentences that the corpora's people speak, and the words of old records: data, not the project's language.
QUOTED = (
    "mesm/data/marionette/sentences.py",
    "mesm/data/importers/crema_d.py",
    "mesm/data/importers/labelled_folder.py",
    "mesm/records/ablation.py",
)
#: A name holds a thing; these name a deed, and every function could have one.
EMPTY_NAMES = {"asked", "found", "given", "here", "nobody", "said", "there", "wanted"}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def public(node: ast.Module | ast.ClassDef) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef]:
    """Yield a module or class and what is public in it."""
    yield node
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
            if isinstance(child, ast.ClassDef):
                yield from public(child)
            else:
                yield child


def test_everything_public_has_a_docstring_that_starts_with_a_verb() -> None:
    missing, nouns = [], []
    for path in FILES:
        for node in public(parse(path)):
            text = ast.get_docstring(node)
            name = getattr(node, "name", path.stem)
            if text is None:
                missing.append(f"{place(path, node)} {name}")
                continue
            # The module of a verb of the command line begins with its name: "`mesm sweep`: score ...".
            text = re.sub(r"^`mesm [a-z -]+`: ", "", text)
            if not text[:1].isalpha() or re.match(rf"({NO_VERBS}|{NOUNS})\b(?!-)", text, flags=re.IGNORECASE):
                nouns.append(f"{place(path, node)} {name}: {text[:60]}")
    assert missing == []
    assert nouns == []


@cache
def texts(path: Path) -> tuple[tuple[ast.Constant, str], ...]:
    """Return the sentences of a file: docstrings, captions, help texts and errors, but no keys and names."""
    strings = (node for node in ast.walk(parse(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return tuple((node, " ".join(node.value.split())) for node in strings if " " in node.value)


def test_no_text_personifies_the_code() -> None:
    wrong = [
        f"{place(path, node)}: ...{text[max(0, match.start() - 40) : match.end() + 30]!r}"
        for path in FILES
        if str(path.relative_to(ROOT)) not in QUOTED
        for node, text in texts(path)
        for match in re.finditer(PERSONIFIED, text, flags=re.IGNORECASE)
    ]
    assert wrong == []


@pytest.mark.parametrize("phrase", RIDDLES)
def test_no_text_is_a_riddle(phrase: str) -> None:
    assert [
        place(path, node)
        for path in FILES
        if str(path.relative_to(ROOT)) not in QUOTED
        for node, text in texts(path)
        if phrase in text.lower()
    ] == []


def test_no_name_is_empty() -> None:
    wrong = []
    for path in FILES:
        for node in ast.walk(parse(path)):
            name = next((value for key in ("arg", "id", "name") if (value := getattr(node, key, None))), None)
            if isinstance(name, str) and name in EMPTY_NAMES:
                wrong.append(f"{place(path, node)} {name}")
    assert wrong == []


def test_the_glossary_names_files_that_exist_and_is_short() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text()
    rows = [line for line in glossary.splitlines() if line.startswith("| **")]
    paths = [path for row in rows for path in re.findall(r"`([\w./]+)`", row.rsplit("|", 2)[-2])]
    assert len(paths) >= len(rows) > 40 and len(glossary.splitlines()) <= 60
    assert [path for path in paths if not (ROOT / "mesm" / path).exists()] == []
    words = [row.split("**")[1].lower() for row in rows]
    assert len(set(words)) == len(words)

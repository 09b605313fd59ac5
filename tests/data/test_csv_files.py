"""Tables and texts that users bring: any delimiter, encoding and column name; a row that cannot be told apart is an error."""

import codecs
import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mesm.data.csv_files import PATH_NAMES, TEXT_NAMES, CsvTable, csv_line, parse_csv, read_csv, safe_cell
from mesm.data.text_files import decode_text, read_text, read_transcript
from mesm.errors import DataError
from mesm.files import check_name

NAMES = {"path": PATH_NAMES, "text": TEXT_NAMES}
#: Letters of a cell; no control characters but line ends, and no surrogates.
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from(
    list("\r\n\t,;|'\"=+-@ é’你😀")
)
WINDOWS = st.sampled_from(list("aéàüñ’“€ß ,;|\t\"=-'0"))


def parse(text: str) -> CsvTable:
    return parse_csv(text, Path("t.csv"), NAMES)


def tables(letters: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    """Tables of two columns whose rows are not empty."""
    cell = st.text(letters, max_size=12)
    return st.lists(st.tuples(cell.filter(lambda c: c.strip()), cell).map(list), min_size=1, max_size=5)


def read_back(table: CsvTable) -> list[list[str]]:
    return [[row["path"], row["text"]] for row in table.good_rows()]


@given(tables(LETTERS), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]), st.sampled_from(",;\t|"))
def test_any_table_comes_back_in_any_encoding(rows: list[list[str]], encoding: str, delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["path", "text"], *rows])
    text = decode_text(out.getvalue().encode(encoding))
    assert read_back(parse(text)) == [[cell.strip() for cell in row] for row in rows]


@given(tables(WINDOWS))
def test_a_table_in_cp1252_keeps_its_accents(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows([["path", "text"], ["é.mp4", ""], *rows])  # é; is no UTF-8
    assume(not re.search(r"[^\x00-\x7f]{3}", out.getvalue()))  # see the test of other scripts
    assert read_back(parse(decode_text(out.getvalue().encode("cp1252"))))[1:] == [[c.strip() for c in r] for r in rows]


@given(tables(LETTERS))
def test_what_is_written_is_read_as_written(rows: list[list[str]]) -> None:
    text = "".join(csv_line(row) for row in [["path", "text"], *rows])
    assert read_back(parse(text)) == [[str(safe_cell(cell)).strip() for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+x", "'+x"), ("-x", "'-x"), ("@x", "'@x"), ("\tx", "'\tx"), ("\r=1", "'\r=1"),
        (" =1", "' =1"), ("＝1", "'＝1"), ("-", "'-"), ("-1.5", "-1.5"), (-1.5, -1.5), (None, None), ("a=1", "a=1"),
        ("caf\udce9.mp4", r"caf\xe9.mp4"), ("\ud83d", r"\ud83d"),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(cell: object, written: object) -> None:
    assert safe_cell(cell) == written


@pytest.mark.parametrize(
    "head", ["path,text", " Path , TEXT ", "file,Transcript", "Video Path;utterance", "﻿path\ttext"]
)
def test_names_of_columns(head: str) -> None:
    delimiter = next(d for d in ";\t," if d in head)
    assert read_back(parse(f"{head}\na.mp4{delimiter} Well\n")) == [["a.mp4", "Well"]]


def test_a_name_of_its_own_goes_before_another_name() -> None:
    table = parse("file,path,text\n1,a.mp4,Well\n")
    assert table.columns == ("file", "path", "text") and read_back(table) == [["a.mp4", "Well"]]


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        ("path,text\na,Well, no\nb,x\n", ["row 1 (line 2) has 3 cells, the header 2: quote the text", ""]),
        (
            "path,text\nb,x\n\n\na\n",
            ["", "row 2 (line 5) has 1 cell, the header 2: add the missing cells, also empty ones"],
        ),
        ('path,text\na,"x\ny"\nb,c,d\n', ["", "row 2 (line 4) has 3 cells, the header 2: quote the text"]),
        ("path,text,\na,b,\nc,Well, no\n", ["", "row 2 (line 3) has a cell 'no' under no name: quote the text"]),
        (",path,text\n0,a,b\n", [""]),  # pandas' index
        (",,\npath,text\n,\na,b\n", [""]),
        ("sep=;\npath;text\na;Well, no\n", [""]),
    ],
)
def test_rows_that_cannot_be_told_apart(content: str, errors: list[str]) -> None:
    assert [row.error for row in parse(content).rows] == errors


def test_a_quote_that_does_not_fit_costs_its_row_only() -> None:
    table = parse('path,text\na,"Well" she said\nb,"open\nc,x\nd,' + "y" * 200_000 + "\ne,z\n")
    assert [bool(row.error) for row in table.rows] == [True, True, False, True, False]
    assert "a quote that does not fit" in table.rows[0].error and "more than 131072" in table.rows[3].error
    assert table.rows[4].cells == {"path": "e", "text": "z"}
    with pytest.raises(DataError, match=r"row 1 \(line 2\) .* \(2 other rows are bad too\)"):
        table.good_rows()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"path,text\na\0,b\n", "is not text"),
        (b"PK\x03\x04\0\0", "is not text"),
        (b"path,text,Text\na,b,c\n", "has 2 columns 'text'"),
        (b"path,sentence,utterance\na,b,c\n", "2 columns for 'text'"),
        (b"path,note,note\n", "2 columns 'note'"),
        (b'"path,text\na,b\n', "its first line has a quote that does not fit"),
        (b"," * 20_000 + b"path\n", "its first line has 20001 cells"),
    ],
)
def test_files_that_are_no_table(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_csv(tmp_path / "t.csv", NAMES)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="no column 'text', it has 'path', 'txt'"):
        parse("path,txt\na,b\n").require("path", "text")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("déjà vu – “ok”".encode("cp1252"), "déjà vu – “ok”"),
        ("déjà vu".encode("utf-16-le"), "déjà vu"),
        ("déjà vu".encode("utf-16-be"), "déjà vu"),
        (codecs.BOM_UTF16_BE + "你好".encode("utf-16-be"), "你好"),
        ("I don\x92t".encode(), "I don’t"),
        (b"a\x81b", "a�b"),
        (b"", ""),
    ],
)
def test_encodings_of_a_text(data: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(data)
    assert read_text(tmp_path / "t.txt") == text


def test_a_text_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(b"a" * 11)
    with pytest.raises(DataError, match="too many for a text file"):
        read_text(tmp_path / "t.txt", 10)
    with pytest.raises(DataError, match="cannot be read"):
        read_text(tmp_path)


@pytest.mark.parametrize("name", ["a.txt", "a.TXT", "a.Txt"])
def test_the_transcript_beside_a_clip(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes("déjà vu\n".encode("cp1252"))
    (tmp_path / "[b].txt").write_text("odd name")
    assert read_transcript(tmp_path / "a.mp4") == "déjà vu"
    assert read_transcript(tmp_path / "[b].mp4") == "odd name" and read_transcript(tmp_path / "c.mp4") == ""


def test_names_that_can_stand_in_files_and_pages() -> None:
    assert check_name("id", "你好 ![x](y) $(z)") == "你好 ![x](y) $(z)"
    for name in ("a\nb", "a\x1b[0m", "a\x85", "a\u2028b", "caf\udce9", "x" * 201):
        with pytest.raises(DataError, match="the id"):
            check_name("id", name)


@pytest.mark.parametrize(
    ("text", "encoding"), [("とても嬉しいです", "shift_jis"), ("我很高兴见到你", "gbk"), ("Я очень рад", "koi8-r")]
)
def test_other_scripts_in_older_encodings_are_refused(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match=r"a\.txt is neither UTF-8 nor Western European text .* save it as UTF-8"):
        read_text(path)
    path.write_text(text, encoding="utf-8")
    assert read_text(path) == text


@pytest.mark.parametrize(
    "text", ["«Où êtes-vous allé, déjà ?» – “À l’été…”", "Größe: naïve façade, coöperation", "¿Qué pasó, señor?"]
)
def test_western_text_in_cp1252_is_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode("cp1252"))
    assert read_text(tmp_path / "a.txt") == text


def test_empty_cells_beyond_the_header_do_not_count() -> None:
    assert read_back(parse("path,text\na.mp4,Hello,\nb.mp4,Well,,\n")) == [["a.mp4", "Hello"], ["b.mp4", "Well"]]

"""Read text files of unknown encoding: transcripts, tables, lists, annotations."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

from mesm.errors import DataError

#: Largest file that is read as text, and largest transcript of one clip.
MAX_BYTES, MAX_TRANSCRIPT_BYTES = 100_000_000, 1_000_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its first half
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Three characters in a row that are neither ASCII nor usual punctuation: no Western European word has them.
_OTHER_SCRIPT = re.compile(r"[^\x00-\x7f\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u00a0\u00ab\u00bb]{3,}")
_C1 = {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)}


def read_text(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> str:
    """Read a text file: UTF-8, UTF-16 or UTF-32 by its byte order mark, UTF-8 where it is, else cp1252.

    C1 control characters come from cp1252 read as Latin-1 once (MELD's quotes) and are turned into what was meant.

    Raises:
        DataError: the file cannot be read, is larger than `max_bytes`, or is not text.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read ({reason}); check the path and its permissions") from error
    if len(data) > max_bytes:
        raise DataError(f"{path} has more than {max_bytes // 10**6} MB, too many for a text file; divide it")
    try:
        text = decode_text(data)
    except DataError as error:
        raise DataError(f"{path} {error}") from error
    if "\0" in text:
        raise DataError(f"{path} is not text (it holds NUL bytes); export it again as plain text in UTF-8")
    return text


def decode_text(data: bytes) -> str:
    """Decode text of unknown encoding, see `read_text`; a byte that no encoding has becomes U+FFFD.

    Raises:
        DataError: it is neither Unicode nor plausible as cp1252, such as Japanese or Cyrillic text of an older encoding.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    # UTF-16 without a mark: every second byte of its Latin letters is NUL, which no other text holds.
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(data) > 2 and data[start:4096:2].count(0) > len(data[:4096]) / 5 and 0 not in data[1 - start : 4096 : 2]:
            return data.decode(encoding, errors="replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        if (other := _OTHER_SCRIPT.search(text)) is not None:
            raise DataError(
                f"is neither UTF-8 nor Western European text (it would read {other[0][:20]!r}); save it as UTF-8"
            ) from None
    return text.translate(_C1)


def read_transcript(clip: Path) -> str:
    """Return the transcript beside a clip, `<stem>.txt` in any case of letters, without blanks around; "" without one.

    Raises:
        DataError: it cannot be read.
    """
    for path in sorted(clip.parent.glob(f"{_literal(clip.stem)}.[tT][xX][tT]")):
        return read_text(path, MAX_TRANSCRIPT_BYTES).strip()
    return ""


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

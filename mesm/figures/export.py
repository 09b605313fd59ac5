"""Export a figure or table: its files for paper, their provenance, and the works to cite.

The app's menus and `mesm figure` both make an `FigureExport` and call `render`: the same input gives the same bytes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING, Any

from mesm import __version__
from mesm.errors import ConfigError
from mesm.figures.bibliography import PAPER, bibtex, corpus_cites
from mesm.figures.fit import type_faults
from mesm.figures.page import DPI, TEXT_WIDTHS, WIDTH_WORDS, leave_out_unprintable, paper_style, width_in
from mesm.figures.table_latex import environment, to_latex
from mesm.figures.table_picture import picture_layout, plot_table
from mesm.figures.tables import Table, escape, foreign_letters
from mesm.files import slug
from mesm.json_form import Json, items, to_json
from mesm.records.base import CorpusId, Record, source_commit
from mesm.records.supervision import Supervision

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Format -> media type. `json` is the provenance alone.
FORMATS: dict[str, str] = {
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
    "png": "image/png",
    "csv": "text/csv",
    "npz": "application/zip",
    "tex": "application/x-tex",
    "json": "application/json",
}
PICTURES = ("pdf", "svg", "png")
#: Formats that depend on a width: LaTeX spans both columns of a page at the text's.
_SIZED = (*PICTURES, "tex")
#: Ways to print faces of people: unchanged, blurred, or sketched from landmarks.
PRIVACY = ("none", "blur", "sketch")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: The dates inside a zip: the earliest it can hold, so that the same content gives the same bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class FigureExport:
    """Hold one figure or table with its caption, provenance and command.

    Attributes:
        name: file name without its ending.
        title: a few words.
        caption: one or two sentences fit for a paper.
        command: makes it again, without format, width and file: `mesm figure`, or `mesm reproduce`, which writes
            every format at once.
        origin: its sources: checkpoints with their sha256, config and seed, corpus, split and n, clip ids,
            top_p, layers, codebook, cost unit; `created` is the date that goes into the files.
        draw: inches of width -> figure; None draws the table.
        table: the numbers, for CSV and LaTeX; None for a picture.
        data: format -> maker of its bytes, for numbers beyond a table: "npz", or "csv" of a picture.
        cites: keys of `bibliography.ENTRIES`.
        privacy: one of `PRIVACY` where people's faces are shown, "" elsewhere.
        private: makes it again with another privacy; None without faces.
        font: of its pictures, one of `page.FONTS`.
    """

    name: str
    title: str
    caption: str
    command: str
    origin: Mapping[str, Json] = field(default_factory=dict)
    draw: Callable[[float], Figure] | None = None
    table: Table | None = None
    data: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)
    cites: tuple[str, ...] = (PAPER,)
    privacy: str = ""
    private: Callable[[str], FigureExport] | None = None
    font: str = "sans"
    _fitted: dict[str, tuple[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assert self.draw or self.table, "an export is a figure or a table"
        object.__setattr__(self, "name", slug(self.name))

    @property
    def formats(self) -> tuple[str, ...]:
        """Return the formats that it has; a picture without numbers has no CSV."""
        numbers = {*self.data, *(("csv",) if self.table is not None else ())}
        return tuple(f for f in FORMATS if f not in ("csv", "npz") or f in numbers)


def fitting_width(export: FigureExport, width: str) -> str:
    """Return a width, or instead of a column's that of the venue's text where the column is too narrow.

    It is too narrow if type would be smaller than `fit.LEAST_PT`, a text would leave the page or lie over another, or a
    table would be broken into panels or into lines of a few letters. Inches are taken as they are.

    Raises:
        ConfigError: an unknown width or font.
    """
    return _measured(export, width)[0] if width in TEXT_WIDTHS else (width_in(width), width)[1]


def _file_width(export: FigureExport, form: str, width: str) -> str:
    """Return the width of a file; where its form has none, the width as it is, without a drawing to measure."""
    if form in _SIZED:
        return fitting_width(export, width)
    width_in(width)  # an unknown one is refused all the same
    return width


def print_notes(export: FigureExport, width: str) -> list[str]:
    """Return sentences on a page wider than the chosen one, and on letters that no font has."""
    fitted, missing = _measured(export, width)
    wider = f"Too wide for a column: written over both columns, {WIDTH_WORDS[fitted]}." if fitted != width else ""
    lacking = (
        f"No installed font has {' '.join(missing[:6])}{' …' if len(missing) > 6 else ''}, so an ellipsis stands for it; "
        "install one, such as Noto Sans CJK or Noto Sans Arabic, and export again."
        if missing
        else ""
    )
    return [note for note in (wider, lacking) if note]


def _measured(export: FigureExport, width: str) -> tuple[str, str]:
    """Return the width that fits, and the letters that cannot be printed."""
    if width not in export._fitted:
        inches = width_in(width)
        with paper_style(export.font):
            figure = _drawn(export, inches)
            missing = leave_out_unprintable(figure)
            fits = width not in TEXT_WIDTHS or _fits(export, figure, inches)
        export._fitted[width] = (width if fits else TEXT_WIDTHS[width], missing)
    return export._fitted[width]


def _fits(export: FigureExport, figure: Figure, inches: float) -> bool:
    if export.draw is not None:
        return not type_faults(figure)
    assert export.table is not None
    return picture_layout(export.table, inches).is_easy


def _drawn(export: FigureExport, inches: float) -> Figure:
    if export.draw is not None:
        return export.draw(inches)
    assert export.table is not None
    return plot_table(export.table, inches)


def record_export(
    records: Sequence[Record[Any]],
    kind: str,
    title: str,
    caption: str,
    *,
    name: str = "",
    options: str = "",
    origin: Mapping[str, Json] | None = None,
    draw: Callable[[float], Figure] | None = None,
    table: Table | None = None,
    cites: Sequence[str] = (),
) -> FigureExport:
    """Build the export of a figure of checkpoints on corpora: `mesm figure KIND CHECKPOINT@CORPUS ... OPTIONS`.

    Args:
        name: first part of the file's name; the kind by default.
        origin: that of the records by default.
        cites: keys of works beside the paper and the corpora's own.
    """
    sources = [record.provenance for record in records]
    names = dict.fromkeys(slug(part) for source in sources for part in (source.checkpoint, source.corpus.name))
    corpora = dict.fromkeys(source.corpus.name for source in sources)
    return FigureExport(
        name="-".join([name or kind, *names]),
        title=title,
        caption=caption,
        command=f"mesm figure {kind} {' '.join(dict.fromkeys(quote(source.source) for source in sources))}{options}",
        origin=origin_of(*records) if origin is None else origin,
        draw=draw,
        table=table,
        cites=(PAPER, *cites, *(key for corpus in corpora for key in corpus_cites(corpus))),
    )


def corpus_export(
    corpus: CorpusId, kind: str, title: str, caption: str, table: Table, origin: Mapping[str, Json], beside: str = ""
) -> FigureExport:
    """Build the export of a table of one corpus: `mesm figure KIND --corpus CORPUS`.

    Args:
        kind: with the number of the paper's table, such as "table 3".
        beside: names of corpora whose reported numbers stand in the table.
    """
    return FigureExport(
        name=f"{kind}-{slug(corpus.name)}",
        title=title,
        caption=caption,
        command=f"mesm figure {kind} --corpus {quote(corpus.key)}",
        origin=origin,
        table=table,
        cites=(PAPER, *corpus_cites(f"{corpus.name} {beside}")),
    )


def full_command(export: FigureExport, form: str, width: str) -> str:
    """Return the command that writes this file."""
    if export.command.startswith("#"):
        return export.command  # a remark: no command makes it again
    sized = f" --width {fitting_width(export, width)}" if form in _SIZED else ""
    if form in PICTURES and export.font != "sans":
        sized += f" --font {export.font}"
    return f"{export.command}{sized}" + ("" if export.command.startswith("mesm reproduce") else f" --format {form}")


def full_caption(export: FigureExport) -> str:
    """Return the caption of the files: it ends with the supervision that the attention had in training, where that is known."""
    sources = [source for source in items(export.origin.get("sources", [])) if isinstance(source, dict)]
    notes = [origin.get("attention_supervision") for origin in (export.origin, *sources)]
    note = next((str(note) for note in notes if note), "")
    return export.caption if note in export.caption else f"{export.caption} {note}"


def provenance_of(export: FigureExport, form: str, width: str) -> dict[str, Json]:
    """Return the sources of a file and the command that makes it again, JSON-ready."""
    width = _file_width(export, form, width)
    size: dict[str, Json] = {"width": width, "width_in": width_in(width)} if form in PICTURES else {}
    return {
        "title": export.title,
        "caption": full_caption(export),
        "command": full_command(export, form, width),
        **size,
        "software": {"name": "mesm", "version": __version__, "commit": source_commit()},
        **({"privacy": export.privacy} if export.privacy else {}),
        **export.origin,
        "cite": list(export.cites),
    }


def origin_of(*records: Record[Any], **more: object) -> dict[str, Json]:
    """Return the origin of an export drawn from records; `more` adds top_p, layers, codebook or cost unit."""
    created = {"created": max(record.provenance.created for record in records)} if records else {}
    return {
        "sources": [_source(record) for record in records],
        **created,
        **{name: to_json(value) for name, value in more.items()},
    }


def _source(record: Record[Any]) -> dict[str, Json]:
    origin, data = record.provenance, record.data
    points = getattr(data, "points", None)
    source: dict[str, Json] = {
        "record": record.kind,
        "checkpoint": origin.checkpoint,
        "checkpoint_sha256": list(origin.checkpoint_sha256),
        "config": origin.config,
        "seed": origin.seed,
        "corpus": origin.corpus.name,
        "corpus_digest": origin.corpus.digest,
        "created": origin.created,
        "code": origin.mesm_commit,
        "record_command": origin.command,
        "split": getattr(data, "split", None),
        "n": getattr(data, "clips", None),
        "attention_supervision": _supervision(data),
        "top_p": getattr(data, "top_p", None) if points is None else [point.top_p for point in points],
        "clip_ids": list(getattr(data, "clip_ids", ()) or getattr(getattr(data, "per_clip", None), "ids", ())),
    }
    return {key: value for key, value in source.items() if value not in (None, "", [], {})}


def _supervision(data: object) -> str | None:
    """Return the supervision that the record's attention had in training, in words; None where it is not known."""
    supervision = getattr(data, "supervision", None)
    return " ".join(supervision.sentences) if isinstance(supervision, Supervision) else None


def render(export: FigureExport, form: str, width: str = "acl-column") -> bytes:
    """Return one file of an export.

    Args:
        form: one of `export.formats`.
        width: a name of `WIDTHS_IN` or inches, for pictures and LaTeX; see `fitting_width`.

    Raises:
        ConfigError: an unknown format or width.
    """
    if form not in export.formats:
        raise ConfigError(f"{export.name} has no format {form!r}; it can be had as {', '.join(export.formats)}")
    width = _file_width(export, form, width)
    made_from = provenance_of(export, form, width)
    if form == "json":
        return _json(made_from)
    if form in export.data:
        return export.data[form]()
    if form == "csv":
        assert export.table is not None
        return export.table.to_csv().encode()
    if form == "tex":
        return _latex(export, full_command(export, form, width), width).encode()
    return _picture(export, form, width, made_from)


def provenance_json(export: FigureExport, form: str, width: str) -> bytes:
    """Return the provenance of one file, to be written beside it."""
    return _json(provenance_of(export, form, width))


def _json(made_from: Mapping[str, Json]) -> bytes:
    return (json.dumps(made_from, indent=1, ensure_ascii=False) + "\n").encode()


def _latex(export: FigureExport, command: str, width: str) -> str:
    head = f"% {_CONTROL.sub('?', command)}\n"  # a line break in a name would end the comment
    if export.table is not None and export.draw is None:
        return _noted(head, to_latex(export.table, full_caption(export), export.name, width))
    name = environment("figure", width)
    lines = (
        rf"\begin{{{name}}}",
        r"\centering",
        rf"\includegraphics{{{export.name}.pdf}}  % at its own width: do not scale",
        rf"\caption{{{escape(full_caption(export))}}}",
        rf"\label{{fig:{export.name}}}",
        rf"\end{{{name}}}",
    )
    return _noted(head, "\n".join([*lines, ""]))


def _noted(head: str, body: str) -> str:
    """Return the LaTeX after its comment, with a note on letters that pdfLaTeX lacks."""
    letters = foreign_letters(body)
    note = f"% pdfLaTeX has no font for {letters}: compile with XeLaTeX or LuaLaTeX and a font that has them\n"
    return head + (note if letters else "") + body


def _picture(export: FigureExport, form: str, width: str, made_from: Mapping[str, Json]) -> bytes:
    out = io.BytesIO()
    with paper_style(export.font):
        figure = _drawn(export, width_in(width))
        leave_out_unprintable(figure)
        figure.savefig(out, format=form, dpi=DPI, metadata=_metadata(export, form, made_from))
    return out.getvalue()


def _metadata(export: FigureExport, form: str, made_from: Mapping[str, Json]) -> dict[str, str | datetime | None]:
    """Return the provenance in the metadata fields of each format; the only date is the record's."""
    origin = export.origin.get("created")
    created = origin if isinstance(origin, str) else None
    record = json.dumps(made_from, ensure_ascii=False)
    maker = f"mesm {__version__} ({source_commit() or 'no commit'})"
    if form == "pdf":
        date = datetime.fromisoformat(created) if created else None
        return {"Title": export.title, "Subject": export.caption, "Keywords": record, "Creator": maker,
                "CreationDate": date, "ModDate": date}  # fmt: skip
    if form == "svg":
        return {"Title": export.title, "Description": record, "Creator": maker, "Date": created}
    stamped = {"Creation Time": created} if created else {}
    return {"Title": export.title, "Description": export.caption, "Comment": record, "Software": maker, **stamped}


def files_of(export: FigureExport, forms: Iterable[str], width: str) -> dict[str, bytes]:
    """Return file name -> content, with the provenance beside each."""
    files: dict[str, bytes] = {}
    for form in forms:
        files[f"{export.name}.{form}"] = render(export, form, width)
        if form != "json":
            files[f"{export.name}.{form}.json"] = provenance_json(export, form, width)
    return files


@dataclass(frozen=True)
class ExportItem:
    """Hold an export in the basket with its chosen formats and width."""

    export: FigureExport
    forms: tuple[str, ...] = ("pdf",)
    width: str = "acl-column"


def make_zip(items: Iterable[ExportItem]) -> bytes:
    """Return one zip: a folder per export with its files and provenance, captions, references.bib, and commands.txt.

    Two exhibits of one name get a number; the same items give the same bytes.
    """
    items = list(items)
    taken: dict[str, int] = {}
    content: dict[str, bytes] = {}
    commands: list[str] = []
    captions: list[tuple[str, str]] = []
    for item in items:
        count = taken[item.export.name] = taken.get(item.export.name, 0) + 1
        folder = item.export.name + (f"-{count}" if count > 1 else "")
        content |= {f"{folder}/{name}": data for name, data in files_of(item.export, item.forms, item.width).items()}
        commands += [full_command(item.export, form, item.width) for form in item.forms]
        captions.append((folder, _CONTROL.sub(" ", item.export.caption)))
    content["captions.txt"] = "".join(f"{name}\n{caption}\n\n" for name, caption in captions).encode()
    content["captions.tex"] = "".join(
        f"% {name}\n\\caption{{{escape(caption)}}}\\label{{{name}}}\n\n" for name, caption in captions
    ).encode()
    content["references.bib"] = bibtex(key for item in items for key in item.export.cites).encode()
    content["commands.txt"] = "".join(f"{command}\n" for command in commands).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()

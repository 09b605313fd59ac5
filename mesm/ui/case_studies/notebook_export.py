"""Write the notebook: one HTML file with its pictures inside, or a zip of a Markdown file with its pictures beside."""

from __future__ import annotations

import base64
import html
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from mesm.estimate import Estimate, decimal_text
from mesm.files import slug
from mesm.records.prediction import Prediction
from mesm.statistics import rounded
from mesm.studies.case import captions
from mesm.studies.case.mosaic import MosaicStyle, fit_window
from mesm.ui.case_studies.notebook import Entry
from mesm.ui.corpora import Case

TITLE = "Notebook of cases"
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#22252B}"
    "img{max-width:100%}table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left}"
    "tr{border-bottom:1px solid #ddd}blockquote{white-space:pre-wrap;border-left:4px solid #0072B2;padding-left:1rem}"
    "section{margin-bottom:3rem}"
)

_PRIVACY_WORDS = {"blur": "Faces are blurred.", "sketch": "Faces are sketched."}


@dataclass(frozen=True)
class NotebookPage:
    """Hold one entry with its facts, scores and pictures.

    Attributes:
        entry: the starred case.
        missing: the reason why the case cannot be shown; "" if it can.
        facts: one line each.
        scores: emotion, score, threshold, true intensity as text.
        pictures: alternative text and PNG.
    """

    entry: Entry
    missing: str = ""
    title: str = ""
    facts: tuple[str, ...] = ()
    scores: tuple[tuple[str, str, str, str], ...] = ()
    pictures: tuple[tuple[str, bytes], ...] = ()


def page_of(
    entry: Entry, case: Case, prediction: Prediction, pictures: tuple[bytes, bytes], privacy: str = "none"
) -> NotebookPage:
    """Return the page of one case."""
    sample, labels = case.sample, case.sample.labels or {}
    dense = prediction.macs.get("fe2e_conv_stack", 0)
    facts = [
        f"Clip {entry.clip_id} of {entry.corpus}, {decimal_text(sample.duration_s, 1)} s"
        + (f", speaker {sample.speaker}" if sample.speaker else ""),
        f"Truth: {captions.truth_words(sample.labels)}",
        f"Checkpoint {entry.checkpoint}"
        + (f" at p = {entry.top_p:g}" if prediction.layers else "")
        + (f", work {prediction.macs['conv_stack'] / dense:.2f} of FE2E" if dense else ""),
        f"At or above the decision threshold: {', '.join(prediction.decided) or 'none'}",
        *([_PRIVACY_WORDS[privacy]] if privacy in _PRIVACY_WORDS else []),
    ]
    window, style = fit_window(sample.duration_s), MosaicStyle()
    alts = (
        captions.face_alt(
            sample.text, len(sample.faces), window, captions.modality_caption("visual", sample, prediction, style)
        ),
        captions.mel_alt(len(sample.mel), captions.modality_caption("acoustic", sample, prediction, style)),
    )
    rows = zip(prediction.labels, prediction.scores, prediction.thresholds, strict=True)
    return NotebookPage(
        entry,
        "",
        f"“{sample.text}”" if sample.text else "no transcript",
        tuple(facts),
        tuple(
            (name, decimal_text(score, 2), Estimate(rounded(limit)).words(2), f"{labels.get(name, 0):g}")
            for name, score, limit in rows
        ),
        tuple(zip(alts, pictures, strict=True)),
    )


def as_html(pages: Sequence[NotebookPage], address: str) -> bytes:
    """Return one HTML file; nothing in it is loaded from elsewhere, and transcripts and notes are escaped."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{TITLE}</title><style>{_STYLE}</style>",
        f"<h1>{TITLE}</h1>",
    ]
    for one in pages:
        entry = one.entry
        parts.append(f"<section><h2>{html.escape(one.title or entry.clip_id)}</h2>")
        if entry.note:
            parts.append(f"<blockquote>{html.escape(entry.note)}</blockquote>")
        parts.append(
            "<ul>" + "".join(f"<li>{html.escape(fact)}</li>" for fact in one.facts or (one.missing,)) + "</ul>"
        )
        parts += [f'<img alt="{html.escape(alt)}" src="{_data_url(png)}">' for alt, png in one.pictures]
        if one.scores:
            cells = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in one.scores)
            parts.append(f"<table><tr><th>emotion<th>score<th>threshold<th>truth</tr>{cells}</table>")
        parts.append(f'<p><a href="{html.escape(address)}?{html.escape(entry.link)}">open this view</a></section>')
    return "\n".join([*parts, "</html>\n"]).encode()


def as_markdown(pages: Sequence[NotebookPage], address: str) -> bytes:
    """Return a zip of notebook.md, in Markdown that GitHub and editors show, and the pictures that it names."""
    parts = [f"# {TITLE}"]
    pictures: dict[str, bytes] = {}
    for number, one in enumerate(pages, 1):
        entry = one.entry
        parts.append(f"## {markdown_text(one.title or entry.clip_id)}")
        if entry.note:
            parts.append("\n".join(f"> {markdown_text(line)}" for line in entry.note.splitlines()))
        parts.append("\n".join(f"- {markdown_text(fact)}" for fact in one.facts or (one.missing,)))
        for (alt, png), what in zip(one.pictures, ("faces", "voice"), strict=False):
            name = f"pictures/{number:02d}-{slug(entry.clip_id)}-{what}.png"
            pictures[name] = png
            parts.append(f"![{markdown_text(alt)}]({name})")
        if one.scores:
            rows = ["| emotion | score | threshold | truth |", "|---|---|---|---|"]
            parts.append("\n".join([*rows, *(f"| {' | '.join(row)} |" for row in one.scores)]))
        parts.append(f"[open this view](<{address}?{entry.link}>)")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notebook.md", "\n\n".join(parts) + "\n")
        for name, png in pictures.items():
            archive.writestr(name, png, zipfile.ZIP_STORED)
    return out.getvalue()


def markdown_text(text: str) -> str:
    """Return text as Markdown that shows this text; only what would mean something else there is escaped."""
    line = re.sub(r"([\\`*_\[\]<>|~$&])", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d*)([#+.)=-])", r"\1\\\2", line)


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"

"""Build what the site shows from the project itself: figures from their commands, pages from notebooks.

Hooks of `mkdocs build` (mkdocs.yml). A block

    ```figure
    mesm figure case marionette-mesm@marionette --clip m0-00356 --format png
    ```

becomes the figure that the command makes, with its caption and the command. A notebook becomes a page with the output
of its cells. Both use the bundled checkpoints, clips and records; nothing that they make is committed.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import shlex
import tempfile
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

#: The records that the site shows are the bundled ones, not those of a workspace beside the checkout.
os.environ["MESM_HOME"] = tempfile.gettempdir() + "/mesm_home_of_the_site"
_ROOT = Path(__file__).resolve().parent.parent
_FIGURE = re.compile(r"^```figure\n(.+?)\n```$", flags=re.M | re.S)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add a page for every notebook, beside the notebook itself, and the pictures of the app and the README."""
    from mkdocs.structure.files import File

    for picture in ("icon.svg", "logo.svg", "screenshots/case_studies.png"):
        files.append(File.generated(config, f"assets/{picture}", abs_src_path=str(_ROOT / "assets" / picture)))
    for file in list(files):
        if file.src_uri.endswith(".ipynb") and file.abs_src_path:
            page, pictures = notebook_page(Path(file.abs_src_path))
            files.append(File.generated(config, file.src_uri.replace(".ipynb", ".md"), content=page))
            for name, picture in pictures.items():
                files.append(File.generated(config, f"notebooks/{name}", content=picture))


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace the commands of figures by the figures."""
    from mkdocs.structure.files import File

    folder = page.file.src_uri.rpartition("/")[0]

    def picture(match: re.Match[str]) -> str:
        command = match[1].strip()
        name, content, caption = make_figure(command)
        uri = f"{folder}/figures/{name}".removeprefix("/")
        if files.get_file_from_path(uri) is None:
            files.append(File.generated(config, uri, content=content))
        return (
            f'<figure markdown="span">\n![{escape(caption)}](figures/{name})\n'
            f"<figcaption>{escape(caption)}<br><code>{escape(command)}</code></figcaption>\n</figure>"
        )

    return _FIGURE.sub(picture, markdown)


@cache
def make_figure(command: str) -> tuple[str, bytes, str]:
    """Return the file name, the content and the caption of a figure."""
    from mesm import cli
    from mesm.cli.figure import remake
    from mesm.figures.export import render

    options, export = cli.parse(shlex.split(command)[1:]), remake(command)
    content = render(export, options.format, options.width)
    return f"{export.name}.{options.format}", content, export.caption


def read_notebook(path: Path) -> list[tuple[str, str]]:
    """Return the cells of a notebook: "markdown" or "code", and the text."""
    cells = json.loads(path.read_text())["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def run_cell(source: str, names: dict[str, Any]) -> tuple[str, Any]:
    """Run a cell as a notebook does; return the printed text and the value of a last line that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None
    return printed.getvalue(), value


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Run a notebook; return its page as Markdown, and the pictures of the page by name."""
    parts, pictures, names = [], {}, {"__name__": "__main__"}
    for kind, source in read_notebook(path):
        if kind == "markdown":
            parts.append(source)
            continue
        printed, value = run_cell(source, names)
        parts.append(f"```python\n{source}\n```")
        if hasattr(value, "_repr_png_"):
            name = f"{path.stem}-{len(pictures) + 1}.png"
            pictures[name] = value._repr_png_()
            parts.append(f"![Output of the cell above]({name})")
        elif value is not None:
            printed += repr(value)
        if printed:
            parts.append(f"```text\n{printed.rstrip()}\n```")
    parts.append(f"[Download this notebook]({path.name})")
    return "\n\n".join(parts), pictures

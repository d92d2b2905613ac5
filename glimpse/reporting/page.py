"""A report as one HTML file: sections of text, tables, pictures and commands, without scripts or other files."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from matplotlib.figure import Figure
from numpy import ndarray

from glimpse.figures.files import png, rendered, svg
from glimpse.trajectories.page.shared import page_head, page_style

__all__ = ["Picture", "Section", "Table", "picture", "report_page", "sheet"]


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes:
        content: Content of an SVG or a PNG file.
        alt: What it shows, for those who do not see it.
        caption: Text below.
    """

    content: bytes
    alt: str
    caption: str = ""

    @property
    def address(self) -> str:
        """The picture as a data address."""
        kind = "png" if self.content.startswith(b"\x89PNG") else "svg+xml"
        return f"data:image/{kind};base64,{base64.b64encode(self.content).decode('ascii')}"


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
        columns: Headings; none for a table of names and values.
        rows: Cells of every row.
        caption: Text above.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes:
        title: Heading.
        text: One paragraph.
        pictures: Pictures, one below the other.
        tables: Tables, side by side if there is room.
        commands: Commands to copy, with a description each.
    """

    title: str
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()


def picture(figure: Figure, alt: str, caption: str = "") -> Picture:
    """Returns a figure of curves or bars as a picture of a report, drawn as lines."""
    return Picture(svg(figure), alt, caption)


def sheet(content: Figure | ndarray | bytes, alt: str, caption: str = "") -> Picture:
    """Returns a figure with images, pixels (H, W, 3) or the content of a PNG file as a picture of a report, made of pixels."""
    if isinstance(content, bytes):
        return Picture(content, alt, caption)
    return Picture(png(rendered(content) if isinstance(content, Figure) else content), alt, caption)


def report_page(title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """Returns the HTML of a report.

    Args:
        title: Heading of the page.
        facts: Headline results by name.
        sections: Sections in order.
    """
    folder = files("glimpse.reporting")
    rows = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in facts.items())
    links = "".join(f'<li><a href="#{_anchor(each)}">{html.escape(each.title)}</a></li>' for each in sections)
    return Template((folder / "report.html").read_text("utf-8")).substitute(
        title=html.escape(title),
        head=page_head(),
        style=page_style() + (folder / "report.css").read_text("utf-8"),
        facts=rows,
        links=links,
        sections="\n".join(map(_section, sections)),
    )


def _anchor(section: Section) -> str:
    """Returns the anchor of a section."""
    return section.title.lower().replace(" ", "-")


def _section(section: Section) -> str:
    """Returns the HTML of a section."""
    anchor, title = _anchor(section), html.escape(section.title)
    parts = [f'<section aria-labelledby="{anchor}">', f'<h2 id="{anchor}">{title}</h2>']
    if section.text:
        parts.append(f"<p>{html.escape(section.text)}</p>")
    parts += map(_figure, section.pictures)
    if section.tables:
        parts.append(f'<div class="tables">{"".join(map(_table, section.tables))}</div>')
    if section.commands:
        rows = "".join(f"<dt>{html.escape(what)}</dt><dd><code>{html.escape(line)}</code></dd>" for what, line in section.commands)
        parts.append(f'<dl class="commands">{rows}</dl>')
    return "\n".join([*parts, "</section>"])


def _figure(shown: Picture) -> str:
    """Returns the HTML of a picture."""
    caption = f"<figcaption>{html.escape(shown.caption)}</figcaption>" if shown.caption else ""
    return f'<figure><img src="{shown.address}" alt="{html.escape(shown.alt)}">{caption}</figure>'


def _table(table: Table) -> str:
    """Returns the HTML of a table; its first column names the rows. A wide one scrolls."""
    caption = f"<caption>{html.escape(table.caption)}</caption>" if table.caption else ""
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in table.columns)
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>{"".join(f"<td>{html.escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in table.rows
    )
    return f"<table>{caption}{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"

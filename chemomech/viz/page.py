"""The report page: one HTML file that needs nothing else."""

import base64
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --soft: #5c6670; --paper: #fbfbfa; --card: #fff; --line: #e2e4e6;
  --accent: #0072b2; --warn: #a8480b; --warnbg: #fdf3ec; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --soft: #9aa4ad; --paper: #15181b; --card: #1d2125;
  --line: #31373c; --accent: #6cb8ea; --warn: #f0a46f; --warnbg: #2c221b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 3rem 1.5rem 5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .8rem; }
.status { display: inline-block; padding: .1rem .7rem; border: 1px solid var(--accent); border-radius: 1rem;
  color: var(--accent); font-size: .85rem; }
figure { margin: 1.6rem 0; padding: 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; }
figure img { display: block; margin: 0 auto; max-width: 100%; background: #fff; border-radius: .3rem; }
figcaption { margin-top: .8rem; color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem 1.2rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: baseline; }
th { font-weight: 600; color: var(--soft); }
td.number, th.number { text-align: right; }
.warnings { padding: .8rem 1.2rem; background: var(--warnbg); border-left: 3px solid var(--warn);
  border-radius: .3rem; }
.warnings ul { margin: 0; padding-left: 1.1rem; }
.notes { color: var(--soft); font-size: .9rem; }
details { border: 1px solid var(--line); border-radius: .6rem; background: var(--card); padding: .6rem 1rem; }
summary { cursor: pointer; }
a { color: var(--accent); }
pre { overflow-x: auto; font: .82rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
"""


class Link(NamedTuple):
    """Text of a table that leads somewhere."""

    text: str
    address: str


@dataclass
class Page:
    """What the page says; `pictures` are (path, caption), `states` and `cases` one {column: value} a row."""

    title: str
    status: str = ""
    numbers: dict = field(default_factory=dict)
    states: list[dict] = field(default_factory=list)
    cases: list[dict] = field(default_factory=list)
    pictures: list[tuple[Path, str]] = field(default_factory=list)
    config: str = ""
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def html(self) -> str:
        """The whole document, pictures included."""
        status = f'<span class="status">{escape(self.status)}</span>' if self.status else ""
        sections = [
            _list("Warnings", self.warnings, "warnings"),
            "".join(_figure(path, caption) for path, caption in self.pictures),
            _section("Key numbers", _numbers(self.numbers)),
            _section("States shown", _table(self.states)),
            _section("Cases", _table(self.cases)),
            _section("Configuration", _config(self.config)),
            _list("Notes", self.notes, "notes"),
        ]
        head = (
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{STYLE}</style>"
        )
        body = f"<h1>{escape(self.title)}</h1>{status}" + "\n".join(sections)
        return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def shown(value) -> str:
    """A value as text: floats to five significant digits, lists joined by commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}".replace("e-0", "e-").replace("e+0", "e")
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(item) for item in value)
    return "–" if value is None else str(value)


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>{content}" if content else ""


def _list(title: str, items: list[str], style: str) -> str:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return _section(title, f'<div class="{style}"><ul>{lines}</ul></div>' if items else "")


def _figure(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    kind = path.suffix.removeprefix(".")
    image = f'<img alt="{escape(caption)}" src="data:image/{kind};base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _numbers(numbers: dict) -> str:
    lines = []
    for name, value in _flat(numbers):
        quantity, unit = re.fullmatch(r"(.*?)\s*(?:\[([^\]]*)\])?", name, flags=re.DOTALL).groups()
        cells = [escape(quantity), escape(shown(value)), escape("" if unit in (None, "-") else unit)]
        style = ["", ' class="number"' if isinstance(value, (int, float)) else "", ""]
        lines.append("<tr>" + "".join(f"<td{s}>{c}</td>" for s, c in zip(style, cells)) + "</tr>")
    head = '<tr><th>quantity</th><th class="number">value</th><th>unit</th></tr>'
    return f'<div class="scroll"><table>{head}{"".join(lines)}</table></div>' if lines else ""


def _flat(numbers: dict, parent: str = ""):
    """(name, value) pairs of a nested dict, names joined by a middle dot."""
    for name, value in numbers.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{parent}{name} · ")
        else:
            yield f"{parent}{name}", value


def _table(rows: list[dict]) -> str:
    if not rows:
        return ""
    styles = {name: _style([row[name] for row in rows]) for name in rows[0]}
    head = "".join(f"<th{style}>{escape(name)}</th>" for name, style in styles.items())
    lines = ["<tr>" + "".join(f"<td{styles[n]}>{_cell(v)}</td>" for n, v in row.items()) + "</tr>" for row in rows]
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def _style(column: list) -> str:
    return ' class="number"' if any(isinstance(value, int | float) for value in column) else ""


def _cell(value) -> str:
    if isinstance(value, Link):
        return f'<a href="{quote(value.address)}">{escape(value.text)}</a>'
    return escape(shown(value))


def _config(text: str) -> str:
    return f"<details><summary>config.toml</summary><pre>{escape(text)}</pre></details>" if text else ""

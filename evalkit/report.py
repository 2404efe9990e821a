"""The report: sections found by folder, built from one analysis, written as HTML, Markdown or JSON."""

import importlib
import pkgutil
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Literal

from evalkit import sections as section_folder
from evalkit.analysis.results import Analysis, Verdict
from evalkit.analysis.validity import Validity
from evalkit.blocks import (
    Section,
)
from evalkit.conditional import mark
from evalkit.denominators import decided_by, epochs_of
from evalkit.frozen import dataclass
from evalkit.price_rows import batched_line, price_line
from evalkit.rendering import json, markdown
from evalkit.wording import listing, plural

SIMULATED = "SIMULATED"


@dataclass(frozen=True)
class Report:
    """What a report says, before anyone decides how it looks. The first section is the verdict; `simulated`: what of it
    the sandbox made, as a sentence, empty for real models and graders; `graded`: by whom; `prices`: by which its money
    was counted, in short."""

    title: str
    simulated: str
    sections: tuple[Section, ...]
    graded: str = ""
    prices: str = ""

    @property
    def of_two(self) -> bool:
        """Whether it is a comparison of two runs, which has no verdict on either."""
        return bool(self.sections) and self.sections[0].name == "against"


@cache
def section_modules() -> tuple[ModuleType, ...]:
    """Every module of `evalkit.sections` with `ORDER` and `build`, in order.

    One with `OF_WORKLOAD` draws conclusions on the workload, which a conditional run does not allow.
    """
    names = [info.name for info in pkgutil.iter_modules(section_folder.__path__)]
    modules = [importlib.import_module(f"{section_folder.__name__}.{name}") for name in names]
    return tuple(sorted(modules, key=lambda module: (module.ORDER, module.__name__)))


COMPARISON = ("against", "items", "method")
"""The sections of what is only about this run against an earlier one."""


def build_report(analysis: Analysis, parts: Collection[str] | None = None) -> Report:
    """All sections that have something to say about this analysis, or those that are named in `parts`."""
    built: list[Section] = []
    for module in section_modules():
        if parts is not None and module.__name__.rpartition(".")[2] not in parts:
            continue
        if analysis.spec.condition is not None and getattr(module, "OF_WORKLOAD", False):
            continue
        build: Callable[[Analysis], Section | None] = module.build
        section = build(analysis)
        if section is not None:
            built.append(section)
    headline = built[0].heading if built else "Nothing to report."
    simulated = _simulated(analysis, of_two=bool(built) and built[0].name == "against")
    mark = f"{SIMULATED}: " if simulated and not headline.startswith(SIMULATED) else ""
    title = f"{mark}{headline} {analysis.spec.name}"
    return Report(title, simulated, tuple(built), _graded(analysis), price_line(analysis))


def _simulated(analysis: Analysis, *, of_two: bool) -> str:
    if analysis.spec.simulated:
        return "The sandbox wrote these outputs; they say nothing about any real model."
    if analysis.simulated:
        return "The sandbox graded these outputs; its grades say nothing about any of them."
    if of_two and analysis.baseline is not None and analysis.baseline.simulated:
        return "The sandbox wrote or graded the earlier run's outputs; nothing here compares real models."
    return ""


def render_html(
    analysis: Analysis,
    folder: str = "",
    parts: Collection[str] | None = None,
    export: str = "",
    report: Report | None = None,
    run_file: str = "RUN.db",
) -> str:
    """One self-contained HTML file; the same analysis gives the same bytes. `report`: where it has been built already.

    `folder` is where, beside the page, the side files of cut texts are; without, there are none. `export` names a file
    beside it with every item, for a page that is too small for them; commands on the page name the `run_file`.
    """
    from evalkit.rendering import html  # Jinja2 and the charts, which the other forms can do without

    report = report or build_report(analysis, parts)
    page = {
        "title": report.title,
        "simulated": report.simulated,
        "conditional": (mark(analysis.spec) or "").removeprefix("conditional: "),
        "run": analysis.spec.name,
        "created": analysis.spec.created_at[:10],
        "size": _size(analysis),
        "crowded": len(analysis.models) > _PRINTED,
        "screen_only": _screen_only(report.sections, len(analysis.models)),
        "folder": folder,
        "export": export,
        "run_file": shlex.quote(run_file),
    }
    return html.render(report.sections, page)


_PRINTED = 5
"""Models of which paper has everything that is unfolded; of more, parts that speak of single models or tags go."""


_MOST_PRINTED, _MOST_OF_MORE, _FEW_MODELS = 15, 13, 3
"""Sections that fit on the eight pages that a report may have on paper, of so few models and of more; of further ones,
as many of those that look closer go."""
_LONG = ("context-sweep", "preferred", "against")
"""Sections that take the room of two."""

_CLOSER = ("grading-time", "leanings", "judge-bias", "consistency", "retries", "blinding", "slices")
"""What goes first stands first."""


def _screen_only(sections: Sequence[Section], models: int) -> Mapping[str, str]:
    """Labels of the sections that are not printed, by name."""
    more = _FEW_MODELS < models <= _PRINTED  # of further ones other parts go
    room = sum(2 if section.name in _LONG else 1 for section in sections)
    beyond = max(0, room - (_MOST_OF_MORE if more else _MOST_PRINTED))
    labels = {section.name: section.label for section in sections}
    return {name: labels[name] for name in [name for name in _CLOSER if name in labels][:beyond]}


def _size(analysis: Analysis) -> str:
    epochs = f" × {epochs_of(analysis)}" if analysis.spec.epochs > 1 else ""
    sweep = analysis.sweep
    size = "" if sweep is None else f" at {sweep.analysed:,} tokens, one of {len(sweep.sizes)} sizes"
    return f"{plural(analysis.items, 'item')} × {plural(len(analysis.models), 'model')}{epochs}{size}"


def render_markdown(
    analysis: Analysis, parts: Collection[str] | None = None, whole: str = "", report: Report | None = None
) -> str:
    """The summary for a pull request or a terminal: the verdict first, one short table.

    `whole` names the file with all of it, if one is made. `report`: where it has been built already.
    """
    report = report or build_report(analysis, parts)
    where = f". Full report: {whole}" if whole else ""
    billed = "" if report.of_two else batched_line(analysis)
    prices = "".join(f". {line}" for line in (billed, report.prices) if line)
    footer = f"{_size(analysis)}{report.graded}, run {analysis.spec.name}{where}{prices}"
    name = f"compare:{analysis.spec.name}" if report.of_two else analysis.spec.name  # they stand apart
    return markdown.render(report.sections, footer, name=name, simulated=report.simulated)


def _graded(analysis: Analysis) -> str:
    """Who decided outputs."""
    grading, decided = analysis.grading, decided_by(analysis)
    judges = [judge for judge in grading.judges if judge not in grading.dropped] if decided["judge"] else []
    people = [plural(len(grading.people), "person", "people")] if decided["people"] and grading.people else []
    if not judges:
        return f", graded by {listing(people)}" if people else ""
    checked = {judge.judge for judge in analysis.judges} >= set(judges)
    return f", graded by {listing([*people, *judges])} ({'checked against people' if checked else 'uncalibrated'})"


@dataclass(frozen=True)
class Finding:
    """What a section of the report found; `measured`: it derives from clocks, so it is another in every run."""

    section: str
    heading: str
    measured: bool


@dataclass(frozen=True)
class Document:
    """The report as JSON. `schema_version` rises when a field goes or changes its meaning, not when one comes.

    Missing numbers are null, with the reason beside them. Money in USD, times in seconds, rates from 0 to 1. `verdict`:
    None of a comparison of two runs; `headline` says what that found.
    """

    schema_version: Literal[1]
    simulated: bool
    title: str
    verdict: Verdict | None
    conditional: str | None
    headline: str | None
    findings: tuple[Finding, ...]
    validity: tuple[Validity, ...]
    analysis: Analysis


def render_json(
    analysis: Analysis,
    parts: Collection[str] | None = None,
    report: Report | None = None,
    change: "Callable[[Document], Document]" = lambda document: document,
) -> str:
    """The whole analysis with its verdict and findings, as `report.schema.json` describes it.

    `report`: where it has been built already. `change`: what is done to the document before it is written.
    """
    report = report or build_report(analysis, parts)
    return json.dump(
        change(
            Document(
                schema_version=1,
                simulated=bool(report.simulated),
                title=report.title,
                verdict=None if report.of_two else analysis.decision.verdict,
                conditional=mark(analysis.spec),
                headline=report.sections[0].heading if report.sections else None,
                findings=tuple(Finding(s.name, s.heading, s.measured) for s in report.sections),
                validity=analysis.validity,
                analysis=analysis,
            )
        )
    )


def json_schema() -> str:
    """The JSON Schema of `render_json`, made from the records themselves; the package holds it as a file."""
    from pydantic import TypeAdapter

    made = TypeAdapter(Document).json_schema(mode="serialization")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "evalkit report"}
    return json.dump({**made, **dialect})

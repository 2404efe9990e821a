"""A gate's report for machines and reviewers: JSON, JUnit XML and Markdown."""

from collections.abc import Iterator
from xml.etree import ElementTree as xml

from evalkit.gating.results import GateReport
from evalkit.rendering.json import dump
from evalkit.rendering.markdown import escape
from evalkit.wording import plural, visible

SCHEMA_VERSION = 1
_MOST_REGRESSED = 50


def to_json(report: GateReport) -> str:
    """Everything, with the name of the exit code; bounds that do not exist are null."""
    return dump(
        {
            "schema_version": SCHEMA_VERSION,
            "headline": report.headline,
            "exit": report.exit_code.name.lower(),
            "gate": report,
        }
    )


def to_junit(report: GateReport) -> str:
    """A test case for each check and each regressed item: failed checks fail, inconclusive ones are errors."""
    failures = sum(check.outcome == "fail" for check in report.checks)
    errors = sum(check.outcome == "inconclusive" for check in report.checks)
    items = regressed_items(report)
    suites = xml.Element("testsuites", name="evalkit gate")
    suite = xml.SubElement(
        suites, "testsuite", name=visible(f"{report.baseline} to {report.candidate}"),
        tests=str(len(report.checks) + len(items)), failures=str(failures), errors=str(errors), skipped=str(len(items)),
    )  # fmt: skip
    for check in report.checks:
        case = xml.SubElement(suite, "testcase", classname="evalkit.gate", name=visible(check.name))
        if check.outcome != "pass":
            kind = "failure" if check.outcome == "fail" else "error"
            told = xml.SubElement(case, kind, message=visible(check.finding), type=check.outcome)
            told.text = visible(f"asked: {check.limit}" + (f"; needs: {check.needs}" if check.needs else ""))
        xml.SubElement(case, "system-out").text = visible(check.finding)
    for item, name in items.items():
        case = xml.SubElement(suite, "testcase", classname="evalkit.gate.items", name=visible(item))
        xml.SubElement(case, "skipped", message=f"worse than the baseline in {visible(name)}")
    xml.indent(suites)
    return xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def regressed_items(report: GateReport) -> dict[str, str]:
    """Items that the candidate does worse on, each with the first check that says so."""
    found: dict[str, str] = {}
    for check in report.checks:
        for item in check.regressed:
            found.setdefault(item, check.name)
    return found


def to_markdown(report: GateReport) -> str:
    """The verdict first, one row a check, what would settle it, and the regressed items folded away."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: GateReport) -> Iterator[str]:
    yield f"### {escape(report.headline)}"
    yield ""
    size = f"{plural(report.items, 'item')}, {plural(report.epochs, 'epoch')}"
    yield f"{size}; intervals at {100 * (1 - 2 * report.alpha):g} %, one-sided alpha {report.alpha:g}."
    yield ""
    yield "| Check | Outcome | Found | Asked |"
    yield "|:--|:--|:--|:--|"
    for check in report.checks:
        yield f"| {escape(check.name)} | **{check.outcome}** | {escape(check.finding)} | {escape(check.limit)} |"
    needed = [check for check in report.checks if check.needs]
    if needed:
        yield ""
        yield "What would settle it:"
        yield ""
        yield from (f"- {escape(check.name)}: {escape(check.needs or '')}" for check in needed)
    yield from _regressed(report)
    for note in report.notes:
        yield ""
        yield f"> {escape(note)}"


def _regressed(report: GateReport) -> Iterator[str]:
    items = list(regressed_items(report).items())
    if not items:
        return
    yield ""
    yield f"<details><summary>{plural(len(items), 'item')} worse than before</summary>"
    yield ""
    yield from (f"- {escape(item)} ({escape(name)})" for item, name in items[:_MOST_REGRESSED])
    if len(items) > _MOST_REGRESSED:
        yield f"- and {len(items) - _MOST_REGRESSED:,} more"
    yield ""
    yield "</details>"

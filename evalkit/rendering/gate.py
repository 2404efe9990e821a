"""A gate's report for machines and reviewers: JSON, JUnit XML and Markdown."""

import json
import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as xml

from evalkit.gating.results import CheckResult, Flips, GateReport, Outcome
from evalkit.import_lines import ENDPOINT
from evalkit.rendering.json import dump
from evalkit.rendering.markdown import escape
from evalkit.strict import sealed
from evalkit.wording import estimated, plural, shorten, sum_of_shares, visible

SCHEMA_VERSION = 1
_ROOM = {"checks": 25_000, "needs": 12_000, "regressed": 10_000, "notes": 8_000}
"""Characters for each part of a comment; with the rest they stay under the 60,000 that leave room to what posts it."""


def to_json(report: GateReport) -> str:
    """Everything, with the name of the exit code and a hash over it; bounds that do not exist are null."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "headline": report.headline,
        "exit": report.exit_code.name.lower(),
        "gate": report,
    }
    return dump(sealed(json.loads(dump(content))))


def to_junit(report: GateReport) -> str:
    """Test cases of the verdict, of each check and each regressed item: what failed fails, what is open is an error.

    The verdict does where none of the checks says so, as with evidence of the sandbox, and carries the notes. Of a
    candidate that is known to be worse there is one case, which fails where the gate does not notice it, and is an
    error where a later look may.
    """
    if report.known_worse:
        return _sensitivity(report)
    outcomes = [check.outcome for check in report.checks]
    told = report.verdict in outcomes or report.verdict == "pass"
    outcomes += [] if told else [report.verdict]
    items = regressed_items(report)
    suites = xml.Element("testsuites", name="evalkit gate")
    suite = xml.SubElement(
        suites, "testsuite", name=visible(f"{report.baseline} to {report.candidate}"),
        tests=str(1 + len(report.checks) + len(items)), failures=str(outcomes.count("fail")),
        errors=str(outcomes.count("inconclusive")), skipped=str(len(items)),
    )  # fmt: skip
    _case(
        suite,
        "verdict",
        "pass" if told else report.verdict,
        report.reason,
        "",
        "\n".join((report.headline, *report.notes)),
    )
    for check in report.checks:
        asked = f"asked: {check.limit}" + (f"; needs: {check.needs}" if check.needs else "")
        _case(suite, check.name, check.outcome, check.finding, asked, check.finding)
    for item, name in items.items():
        case = xml.SubElement(suite, "testcase", classname="evalkit.gate.items", name=visible(item))
        xml.SubElement(case, "skipped", message=f"worse than the baseline in {visible(name)}")
    return _written(suites)


def _sensitivity(report: GateReport) -> str:
    suites = xml.Element("testsuites", name="evalkit gate --sensitivity-check")
    suite = xml.SubElement(
        suites, "testsuite", name=visible(f"{report.baseline} to {report.candidate}"), tests="1",
        failures=str(int(report.as_asked == "fail")), errors=str(int(report.as_asked == "inconclusive")), skipped="0",
    )  # fmt: skip
    told = [f"{check.name}: {check.outcome}: {check.finding}" for check in report.checks]
    _case(
        suite, "sensitivity", report.as_asked, report.headline, "", "\n".join((report.headline, *told, *report.notes))
    )
    return _written(suites)


def _written(suites: xml.Element) -> str:
    xml.indent(suites)
    return xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: xml.Element, name: str, outcome: Outcome, finding: str, asked: str, said: str) -> None:
    case = xml.SubElement(suite, "testcase", classname="evalkit.gate", name=visible(name))
    if outcome != "pass":
        kind = "failure" if outcome == "fail" else "error"
        xml.SubElement(case, kind, message=visible(finding), type=outcome).text = visible(asked)
    xml.SubElement(case, "system-out").text = visible(said)


def regressed_items(report: GateReport) -> dict[str, str]:
    """Items that the candidate does worse on, each with the first check that says so."""
    found: dict[str, str] = {}
    for check in report.checks:
        for item in check.regressed:
            found.setdefault(item, check.name)
    return found


def to_markdown(report: GateReport) -> str:
    """The body of one comment: its mark, the verdict, one row a check, what would settle it, and the regressed items.

    The mark names the pin that is to be replaced, so that a comment about it can be found and renewed. Rows that would
    take the body over 60,000 characters are left out whole, and counted.
    """
    return "\n".join(_lines(report)) + "\n"


def _lines(report: GateReport) -> Iterator[str]:
    yield f"<!-- evalkit:{re.sub('[^A-Za-z0-9.:]+', '-', report.baseline)[:200]} -->"
    yield f"### {escape(shorten(report.headline, 1_000))}"
    yield ""
    size = f"{plural(report.items, 'item')}, {plural(report.epochs, 'epoch')}"
    alpha = report.tested_alpha
    yield f"{size}; intervals at {100 * (1 - 2 * alpha):.4g} %, one-sided alpha {alpha:.3g}."
    if report.flips is not None:
        yield f"Flip rate: {flips_told(report.flips)}."
    yield from _origin(report)
    yield ""
    yield "| Check | Outcome | Found | Asked |"
    yield "|:--|:--|:--|:--|"
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    checks = sorted(report.checks, key=lambda check: order[check.outcome])
    yield from _fitting([_row(check) for check in checks], _ROOM["checks"], "| and {} more | | | |")
    needed = [f"- {escape(check.name)}: {escape(check.needs)}" for check in checks if check.needs]
    if needed:
        yield from ("", "What would settle it:", "")
        yield from _fitting(needed, _ROOM["needs"], "- and {} more")
    yield from _regressed(report)
    for note in _fitting([f"> {escape(note)}" for note in report.notes], _ROOM["notes"], "> and {} more"):
        yield from ("", note)


def _origin(report: GateReport) -> Iterator[str]:
    """Which server answered, which a change may name together with the pin."""
    then, now = (report.provenance.get(f"{side}_endpoint") for side in ("baseline", "candidate"))
    if then and now:
        told = [now] if then == now else [f"{then} (baseline)", f"{now} (candidate)"]
        yield f"Outputs {'' if told == [ENDPOINT] else 'from '}{escape(' and '.join(told))}."


def flips_told(flips: Flips) -> str:
    """How many items change their verdict, in words."""
    ways = f"{sum_of_shares(flips.better)} for the better, {sum_of_shares(flips.worse)} for the worse"
    return f"{estimated(flips.rate, 'percent')} of {plural(flips.rate.n, 'item')} change their verdict ({ways})"


def _row(check: CheckResult) -> str:
    return f"| {escape(check.name)} | **{check.outcome}** | {escape(check.finding)} | {escape(check.limit)} |"


def _fitting(rows: Sequence[str], room: int, more: str) -> Iterator[str]:
    """The first rows that fit into so many characters, and how many do not."""
    for number, row in enumerate(rows):
        room -= len(row) + 1
        if room < 0:
            yield more.format(f"{len(rows) - number:,}")
            return
        yield row


def _regressed(report: GateReport) -> Iterator[str]:
    items = [f"- {escape(item)} ({escape(name)})" for item, name in regressed_items(report).items()]
    if items:
        yield from ("", f"<details><summary>{plural(len(items), 'item')} worse than before</summary>", "")
        yield from _fitting(items, _ROOM["regressed"], "- and {} more")
        yield from ("", "</details>")

"""What the HTML file promises: alone, escaped, small, deterministic, blind on demand."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_fixtures import HOSTILE, analysis
from report_pages import Elements, made, page
from report_variants import VARIANTS

from evalkit.analysis.results import Analysis
from evalkit.blocks import TEXT_LIMIT
from evalkit.charts.svg import INKS
from evalkit.report import render_html, render_json, render_markdown
from evalkit.stats import Estimate


@pytest.mark.parametrize("case", sorted(VARIANTS))
def test_the_page_is_well_formed_and_alone(case: str) -> None:
    parsed = Elements(page(case))
    assert parsed.open == []
    assert parsed.crossed == []
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in parsed.tags:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert "src" not in attributes, tag
        assert tag not in ("iframe", "object", "embed", "base", "form", "img", "foreignobject"), tag
        href = attributes.get("href")
        assert href is None or href == "data:," or href.removeprefix("#") in ids, href


@pytest.mark.parametrize("case", sorted(VARIANTS))
def test_no_words_run_together_where_there_is_no_style_sheet(case: str) -> None:
    drawn = re.sub(r"<(svg|style|script)\b.*?</\1>", " ", page(case), flags=re.DOTALL)
    inline = r"(?:</?(?:span|small|a|b|em|strong|code|label|summary)\b[^>]*>)+"
    assert not re.findall(rf"\w{{1,20}}{inline}\w{{1,20}}", drawn)


def test_the_policy_allows_exactly_the_two_inline_blocks() -> None:
    text = page("whole")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    assert allowed.startswith("default-src 'none'; style-src 'sha256-")
    for tag in ("style", "script"):
        blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.S)
        assert len(blocks) == 1
        digest = base64.b64encode(hashlib.sha256(blocks[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in allowed
    assert "unsafe" not in allowed


def test_hostile_text_stays_text() -> None:
    text = page("hostile")
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{7*7}}" in text
    assert "⟦U+202E⟧" in text
    assert "⟦U+200B⟧" in text
    assert "⟦U+0000⟧" in text
    assert not re.search("[\u202a-\u202e\u200b-\u200f\u2066-\u2069\x00\x1b\r]", text)
    assert "evil.example" not in "".join(v or "" for _, a in Elements(text).tags for v in (a.get("href"),))


def test_a_long_output_is_cut_and_says_so() -> None:
    cut = len(HOSTILE) + 1_000_000 - TEXT_LIMIT
    assert f"Cut here: {cut:,} more characters" in page("hostile")
    assert "A" * (TEXT_LIMIT + 1) not in page("hostile")


def test_a_lone_surrogate_does_not_break_the_page() -> None:
    analysis = made("one_item")
    broken = replace(analysis.outputs[0], id="a\ud800", task="b\udfff")
    render_html(replace(analysis, outputs=(broken,))).encode("utf-8")
    render_json(replace(analysis, outputs=(broken,))).encode("utf-8")
    render_markdown(replace(analysis, outputs=(broken,))).encode("utf-8")


def test_a_hundred_items_of_two_kilobytes_make_a_small_page_and_the_rest_of_it_is_smaller() -> None:
    whole = analysis(100)
    long = tuple(
        replace(item, outputs=tuple(replace(o, text=f"{o.trial_id} {'words ' * 400}"[:2048]) for o in item.outputs))
        for item in whole.outputs
    )
    text = render_html(replace(whole, outputs=long))
    start, end = text.index('<section id="items"'), text.index('<section id="failures"')
    said = re.sub(r"<[^>]+>", "", text[start:end])  # the words of the items; their markup belongs to the page
    assert len(said) > 100 * 3 * 2048
    assert len(text.encode()) - len(said.encode()) < 400_000
    assert len(text.encode()) < 2_000_000


def test_the_style_sheet_knows_every_colour_of_the_drawings_by_its_value() -> None:
    """Else it would stay the light theme's in the dark."""
    style = re.search(r"<style>(.*?)</style>", page("whole"), flags=re.S)
    assert style is not None
    for name, colour in INKS.items():
        assert f'[fill="{colour}"] {{ fill: var(--{name}); }}' in style[1]
        if name != "tint":
            assert f'[stroke="{colour}"] {{ stroke: var(--{name}); }}' in style[1]


def test_a_simulated_run_is_marked_wherever_it_is_read() -> None:
    analysis = made("simulated")
    assert "<title>SIMULATED: " in page("simulated")
    assert '<aside class="banner" aria-label="Simulated run"><strong>SIMULATED</strong>' in page("simulated")
    assert "\n### SIMULATED: Use Sonnet 4.6.\n" in render_markdown(analysis)[:99]
    assert json.loads(render_json(analysis))["simulated"] is True
    assert "The sandbox graded these outputs" in page("graded_by_sandbox")
    assert "<title>SIMULATED: " in page("graded_by_sandbox")
    assert "SIMULATED" not in page("whole")
    assert json.loads(render_json(made("whole")))["simulated"] is False


def blind_part(text: str) -> str:
    """The list of items with what the style sheet hides taken away."""
    items = text[text.index('<div class="items">') : text.index('<section id="failures"')]
    for hidden in (r'<span class="who">.*?</span> <span class="blindname">', r'<p class="price">.*?</p>',
                   r'<span class="states".*?</summary>', r'<span class="own">.*?</span></span>'):  # fmt: skip
        items = re.sub(hidden, "", items, flags=re.S)
    return items


def test_hidden_names_leave_no_name_cost_or_time() -> None:
    left = blind_part(page("whole"))
    for name in ("Haiku", "Sonnet", "Opus", "claude", "¢"):
        assert name not in left
    assert not re.search(r"\d s<", left)
    style = re.search(r"<style>(.*?)</style>", page("whole"), flags=re.S)
    assert style is not None
    for part in (".who", ".price", ".states"):
        assert f"main:has(#blind:checked) .item {part}" in style[1]


def test_hidden_names_are_hidden_in_what_outputs_say_of_themselves() -> None:
    """Output, error and comment; a word of the task stays, and so does all other text, to the character."""
    said = (
        "As Claude Opus, I (claude-opus-4-6) wrote <b>a haiku</b>. Ask Anthropic; \N{CYRILLIC SMALL LETTER O}pus too."
    )
    analysis = made("whole")
    output = replace(analysis.outputs[0].outputs[0], text=said, error="Opus 4.6 was busy", comments={"correct": said})
    item = replace(analysis.outputs[0], task="Write a haiku.", outputs=(output, *analysis.outputs[0].outputs[1:]))
    text = render_html(replace(analysis, outputs=(item, *analysis.outputs[1:])))
    left = blind_part(text)
    assert ", I () wrote &lt;b&gt;a haiku&lt;/b&gt;. Ask ;  too." in left
    assert left.count("I () wrote") == 2
    assert "<b>Error</b>  was busy" in left
    for name in ("Opus", "claude", "Claude", "Anthropic", "pus"):
        assert name not in left
    plain = re.sub(r'<span class="own"><span>(.*?)</span></span>', r"\1", text)
    assert said.replace("<", "&lt;").replace(">", "&gt;") in plain
    assert "main:has(#blind:checked) .item .own > span { display: none; }" in text


def test_hidden_names_permute_the_columns_item_by_item() -> None:
    text = page("whole")
    orders = re.findall(r'<article class="output p(\d) c0"', text)
    assert len(orders) == 60
    assert {"0", "1", "2"} == set(orders)
    style = text[: text.index("</style>")]
    for place in ("0", "1", "2"):
        assert f".p{place} {{ order: {int(place) + 1}; }}" in style


SAME = ("whole", "people_and_judge", "three_epochs", "with_baseline")


def digest_of_reports() -> str:
    """Of every form of some reports."""
    whole = [form for name in SAME for form in (page(name), render_markdown(made(name)), render_json(made(name)))]
    return hashlib.sha256("".join(whole).encode()).hexdigest()


@pytest.mark.long
def test_the_same_analysis_gives_the_same_bytes_in_any_process() -> None:
    """Sets and dicts of strings would change their order with the hash seed."""
    code = "import sys; sys.path.insert(0, 'tests'); import test_report_page as t; print(t.digest_of_reports())"
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, env=os.environ | {"PYTHONHASHSEED": seed},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert elsewhere.stdout.strip() == digest_of_reports()


def faster(analysis: Analysis) -> Analysis:
    """The same run measured on a quicker day, an hour later."""

    def quick(estimate: Estimate) -> Estimate:
        low, high = (None if x is None else x / 2 for x in (estimate.low, estimate.high))
        return replace(estimate, value=(estimate.value or 0) / 2, low=low, high=high)

    models = tuple(
        replace(
            m,
            clocks={
                name: replace(
                    clock,
                    quantiles={q: quick(e) for q, e in clock.quantiles.items()},
                    values_s=tuple(v / 2 for v in clock.values_s),
                )
                for name, clock in m.clocks.items()
            },
        )
        for m in analysis.models
    )
    outputs = tuple(
        replace(i, outputs=tuple(replace(o, latency_s=(o.latency_s or 0) / 2, ttft_s=0.1) for o in i.outputs))
        for i in analysis.outputs
    )
    spec = replace(analysis.spec, created_at="2026-12-01T09:00:00Z")
    return replace(analysis, models=models, outputs=outputs, spec=spec)


class Unmeasured(HTMLParser):
    """A page without the elements marked `data-measured`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.kept: list[str] = []
        self._depth = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._depth or "data-measured" in dict(attrs):
            self._depth += tag not in Elements.VOID
        else:
            self.kept.append(f"{tag}{attrs}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._depth:
            self.kept.append(f"{tag}{attrs}")

    def handle_endtag(self, tag: str) -> None:
        self._depth = max(self._depth - 1, 0)

    def handle_data(self, data: str) -> None:
        if not self._depth:
            self.kept.append(data)


@pytest.mark.long
def test_without_measured_elements_two_runs_differ_in_nothing_that_was_measured() -> None:
    slow, fast = page("whole"), render_html(faster(made("whole")))
    assert slow != fast
    assert Unmeasured(slow).kept == Unmeasured(fast).kept
    assert "".join(Unmeasured(slow).kept).count("Use") > 0


def test_the_sample_that_the_readme_shows_is_marked_small_and_of_nobodys_machine(root: Path) -> None:
    text = (root / "reports" / "sample.html").read_text(encoding="utf-8")
    assert "<title>SIMULATED: " in text
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"/(home|root|tmp|Users)/|sk-ant-", text)
    assert "(reports/sample.png)](reports/sample.html)" in (root / "README.md").read_text(encoding="utf-8")
    assert (root / "reports" / "sample.png").stat().st_size < 200_000

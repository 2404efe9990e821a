"""The report as Markdown and JSON, and the wording of single figures."""

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from analysis_builders import run_of
from hypothesis import given
from hypothesis import strategies as st
from report_fixtures import HAIKU, OPUS, SONNET
from report_pages import made
from report_variants import VARIANTS

from evalkit.analysis import analyze
from evalkit.blocks import (
    Column,
    Row,
    table,
)
from evalkit.rendering.json import dump
from evalkit.rendering.markdown import MOST_ROWS, escape
from evalkit.report import build_report, render_json, render_markdown
from evalkit.series import arrange
from evalkit.stats import Estimate, grader_severity, mean_cost, mean_cost_ratio, paired_means
from evalkit.wording import doubt, estimated, interval, listing, money, percent, points, shorten, visible


def test_the_summary_is_short_and_starts_with_the_verdict() -> None:
    text = render_markdown(made("whole"))
    lines = text.splitlines()
    assert lines[:2] == ["<!-- evalkit:support-replies -->", "### Use Sonnet 4.6."]
    rate = made("whole").model(SONNET).pass_rate
    assert f"({interval(rate, 'percent')}, 60 items)" in lines[3]
    assert sum(line.startswith("|") for line in lines) == 5
    assert len(text) < 4_000


def test_the_summary_table_has_at_most_eight_rows_and_says_what_was_cut() -> None:
    analysis = made("whole")
    many = tuple(replace(analysis.models[0], model=f"model-{i}", name=f"Model {i}") for i in range(MOST_ROWS + 3))
    decision = replace(analysis.decision, option=None, verdict="not_enough_data", eligible=(), reasons={})
    text = render_markdown(
        replace(analysis, models=many, pairs=(), slices=(), criteria=(), outputs=(), decision=decision)
    )
    assert sum(line.startswith("|") for line in text.splitlines()) == MOST_ROWS + 2
    assert "3 more in the full report." in text


def test_the_summary_keeps_the_models_that_clear_the_bar_wherever_they_stand() -> None:
    good = [f"good-{i}" for i in range(4)]
    passes = {f"bad-{i}": [[False]] * 40 for i in range(9)} | {name: [[True]] * 40 for name in good}
    text = render_markdown(analyze(run_of(passes)))
    kept = re.findall(r"^\| \**((?:good|bad)-\d)", text, re.MULTILINE)
    assert kept == [*(f"bad-{i}" for i in range(4)), *good]
    assert "5 more in the full report." in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"),
        ("`x` *y* _z_", r"\`x\` \*y\* \_z\_"),
        ("![i](http://e.example)", "!\\[i\\](http:\N{ZERO WIDTH NON-JOINER}//e.example)"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("@team", "@\N{ZERO WIDTH NON-JOINER}team"),
        ("#123", "#\N{ZERO WIDTH NON-JOINER}123"),
        ("!12 gh-12 GH-x", "!\N{ZERO WIDTH NON-JOINER}12 gh\N{ZERO WIDTH NON-JOINER}-12 GH-x"),
        ("a\ufffe\U0001ffff\ufdd0", "a⟦U+FFFE⟧⟦U+1FFFF⟧⟦U+FDD0⟧"),
        ("two\nlines", "two lines"),
        ("# big", r"\# big"),
        ("- x", r"\- x"),
        ("+ x", r"\+ x"),
        ("1. one 2. two", r"1\. one 2. two"),
        ("1234) x", r"1234\) x"),
        ("-3 (1.5)", "-3 (1.5)"),
        (r"$\frac{x}{y}$ for $5", r"\$\\frac{x}{y}\$ for $5"),
        ("\u202egnp", "⟦U+202E⟧gnp"),
        ("plain 4.6 (a–b)", "plain 4.6 (a–b)"),
    ],
)
def test_foreign_text_has_no_power_over_markdown(text: str, written: str) -> None:
    assert escape(text) == written


@pytest.mark.parametrize("case", sorted(VARIANTS))
def test_a_comment_is_understood_without_a_picture(case: str) -> None:
    text = render_markdown(made(case))
    assert not re.search(r"!\[|<(img|svg|picture)|data:image", text)
    assert not {char for char in text if unicodedata.category(char) == "So"}, "no emoji says what words do not"


def test_every_figure_of_the_comments_table_has_its_interval_beside_it() -> None:
    rows = [line for line in render_markdown(made("whole")).splitlines() if line.startswith("|")][2:]
    for model, row in zip(sorted(made("whole").models, key=lambda m: m.spend_usd or 0), rows, strict=True):
        for estimate, style in ((model.pass_rate, "percent"), (model.cost_per_satisfactory, "money")):
            assert f"({interval(estimate, style)})" in row


@pytest.mark.long
def test_a_comment_stays_within_what_forges_take_and_says_what_was_cut() -> None:
    analysis = made("with_baseline")
    long = "`|@" * 20_000
    many = tuple(replace(analysis.models[0], model=f"m{i}", name=f"{i}{long}") for i in range(MOST_ROWS))
    ids = tuple(f"{n}{long}" for n in range(500))
    against = tuple(replace(p, b=f"m{i}", regressed=ids) for p in analysis.against for i in range(MOST_ROWS))
    decision = replace(analysis.decision, option=None, verdict="not_enough_data", eligible=(), reasons={})
    text = render_markdown(
        replace(
            analysis,
            models=many,
            pairs=(),
            slices=(),
            criteria=(),
            outputs=(),
            signals=(),
            decision=decision,
            against=against,
            warnings=(long,) * 9,
        )
    )
    assert len(text) <= 60_000
    assert re.search(r"\d+ (parts )?more in the full report", text)
    assert text.count("<details>") == text.count("</details>")
    assert text.splitlines()[1].startswith("### ")


def test_regressions_are_folded_by_html_that_no_name_can_leave() -> None:
    analysis = made("with_baseline")
    pair = replace(analysis.against[0], regressed=("a|<b>@x #1",))
    named = tuple(replace(m, name="<i>_x_@y") if m.model == pair.b else m for m in analysis.models)
    text = render_markdown(replace(analysis, against=(pair,), models=named))
    folded = text[text.index("<details>") : text.index("</details>")]
    none = "\N{ZERO WIDTH NON-JOINER}"
    assert folded.startswith(f"<details><summary>&lt;i&gt;_x_@{none}y, worse on 1 item</summary>\n\n")
    assert f"a\\|&lt;b&gt;@{none}x #{none}1" in folded


def test_hostile_names_cannot_break_the_table() -> None:
    parts = render_markdown(made("hostile")).split("\n\n")
    tables = [part.splitlines() for part in parts if part.startswith("| ")]
    for rows in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert tables
    assert "<i>" not in render_markdown(made("hostile"))


@pytest.mark.parametrize("case", sorted(VARIANTS))
def test_json_has_null_for_what_is_missing_and_no_nan(case: str) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    data = json.loads(render_json(made(case)), parse_constant=refuse)
    assert data["headline"] == build_report(made(case)).sections[0].heading
    assert data["verdict"] == made(case).decision.verdict
    for model, result in zip(data["analysis"]["models"], made(case).models, strict=True):
        assert model["cost_per_satisfactory"]["value"] == result.cost_per_satisfactory.value


@pytest.mark.long
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_indented_as_the_standard_library_does_it(value: object) -> None:
    assert dump(value) == json.dumps(value, indent=1) + "\n"


def test_json_refuses_a_number_that_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="not a number in JSON"):
        dump({"x": [float("nan")]})
    with pytest.raises(ValueError, match="no plain form"):
        dump({1, 2})
    with pytest.raises(ValueError, match="no name of a JSON object"):
        dump({("a", "b"): 1})


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "unpriced"), (0, "$0.00"), (0.044, "4.4¢"), (0.00042, "0.042¢"), (0.0996, "10¢"), (0.47, "47¢"),
        (0.9996, "$1.00"), (12.4, "$12.40"), (1240, "$1,240.00"), (-0.05, "−5.0¢"),
    ],
)  # fmt: skip
def test_money(usd: float | None, text: str) -> None:
    assert money(usd) == text


def test_money_without_the_cent_sign() -> None:
    assert money(0.031, plain=True) == "$0.031"
    assert money(12.4, plain=True) == "$12.40"


@pytest.mark.parametrize(
    ("share", "bar", "text"),
    [
        (None, None, "unknown"), (0, None, "0%"), (1, None, "100%"), (0.997, None, ">99%"), (0.003, None, "<1%"),
        (0.886, None, "89%"), (0.796, 0.8, "79.6%"), (0.8, 0.8, "80%"), (0.7999, 0.8, "79.99%"),
        (0.7999999, 0.8, "just below 80%"), (0.912, 0.914, "91%"), (0.9142, 0.914, "91.42%"), (0.914, 0.914, "91.4%"),
    ],
)  # fmt: skip
def test_percent_never_rounds_to_a_claim(share: float | None, bar: float | None, text: str) -> None:
    assert percent(share, bar) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.03, "+3"),
        (-0.04, "−4"),
        (0.004, "+0.4"),
        (-0.0001, "−<0.1"),
        (0, "0"),
        (0.0097, "+1"),
        (None, "unknown"),
    ],
)
def test_points_keep_their_sign(difference: float | None, text: str) -> None:
    assert points(difference) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "style", "text"),
    [
        (0.89, 0.81, 0.94, "percent", "89% (81–94%)"),
        (0.044, 0.035, 0.055, "money", "4.4¢ (3.5–5.5¢)"),
        (0.46, 0.21, 1.01, "money", "$0.46 ($0.21–$1.01)"),
        (0.05, -0.03, 0.15, "points", "+5 (−3 to +15)"),
        (0.22, -0.19, 0.7, "money", "22¢ (−19¢ to 70¢)"),
        (2.35, 1.9, 2.6, "ratio", "2.4× (1.9–2.6×)"),
        (2.63, 2.58, 2.68, "ratio", "2.63× (2.58–2.68×)"),
        (0.104, 0.101, 0.108, "money", "10.4¢ (10.1–10.8¢)"),
        (0.0, 0.0, 0.02, "money", "0¢ (0–2.0¢)"),
        (13.0, 8.6, None, "seconds", "13 s (from 8.6 s, no upper limit)"),
        (0.5, None, None, "percent", "50% (no interval, n = 20)"),
        (1.0, 0.94, 1.0, "percent", "100% (94–100%)"),
        (-0.0, -0.0, 2.0, "money", "$0.00 ($0.00–$2.00)"),
        (-0.0, -0.0, 0.4, "percent", "0% (0–40%)"),
        (0.034, 0.03, 1.2, "money", "$0.034 ($0.030–$1.20)"),
        (0.0103, 0.0101, 0.0105, "money", "1.03¢ (1.01–1.05¢)"),
    ],
)
def test_an_estimate_is_written_with_its_doubt(
    value: float, low: float | None, high: float | None, style: Any, text: str
) -> None:
    assert estimated(Estimate(value, low, high, 0.95, 20, "m"), style) == text


def test_a_column_in_dollars_rounds_no_sum_away() -> None:
    narrow = Estimate(0.0103, 0.0101, 0.0105, 0.95, 20, "m")
    assert estimated(narrow, "money", cents=False) == "$0.0103 ($0.0101–$0.0105)"


def test_values_without_spread_are_the_reason_that_there_is_no_interval() -> None:
    """Forty items are enough; that they are all alike is why."""
    for found in (
        mean_cost([0.03] * 40),
        mean_cost_ratio([0.03] * 40, [0.02] * 40),
        paired_means([2.0] * 40, [1] * 40),
        grader_severity([[1.0] * 40, [0.0] * 40])[0],
    ):
        assert doubt(found, "money") == "no interval, all 40 alike"
    assert doubt(mean_cost([0.03]), "money") == "no interval, n = 1"


def test_an_estimate_that_does_not_exist_says_why() -> None:
    none = Estimate(None, 0.11, None, 0.95, 20, "m", reason="no success in 20 items")
    assert estimated(none, "money") == "none (no success in 20 items; at least 11¢)"
    assert doubt(Estimate(None, None, None, 0.95, 0, "m", reason="no values"), "seconds") == "no values"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: listing([]), ""),
        (lambda: listing(["A", "B", "C"]), "A, B and C"),
        (lambda: shorten("one two three four", 12), "one two…"),
        (lambda: shorten("x" * 40, 10), "x" * 9 + "…"),
        (lambda: visible("a\r\nb\tc"), "a\nb\tc"),
        (lambda: visible("a\u200bb\u2028c\ue000"), "a⟦U+200B⟧b⟦U+2028⟧c⟦U+E000⟧"),
    ],
)
def test_small_wordings(call: Callable[[], str], text: str) -> None:
    assert call() == text


def test_models_keep_order_and_colour_from_report_to_report() -> None:
    one = arrange([OPUS, SONNET, HAIKU], ["O", "S", "H"])
    assert [(s.name, s.slot) for s in one] == [("H", 0), ("S", 1), ("O", 2)]
    two = arrange(["claude-sonnet-4-6", "claude-sonnet-5", "mine"], ["4.6", "5", "mine"])
    assert [(s.name, s.slot) for s in two] == [("4.6", 1), ("5", 3), ("mine", 4)]
    many = arrange([f"m{i}" for i in range(9)], [f"m{i}" for i in range(9)])
    assert len({s.slot for s in many}) == 9


def test_a_table_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 columns"):
        table("t", (Column("a"), Column("b")), [Row(())])


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم", "क्\u200dष", "നന്\u200dമ", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f469\U0001f3fd\u200d\U0001f4bb",
        "\u2764\ufe0f\u200d\U0001f525", "\U0001f642\u200d\u2194\ufe0f",
    ],
)  # fmt: skip
def test_joiners_of_letters_and_emoji_stay(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pass\u200cword", "pass⟦U+200C⟧word"),
        ("a\u200dی", "a⟦U+200D⟧ی"),
        ("ی\u200da", "ی⟦U+200D⟧a"),
        ("\u200cمی", "⟦U+200C⟧می"),
        ("می\u200c", "می⟦U+200C⟧"),
        ("می\u200c خواهم", "می⟦U+200C⟧ خواهم"),
        ("م\u200c\u200dی", "م⟦U+200C⟧⟦U+200D⟧ی"),
        ("م\u200c\u200bی", "م⟦U+200C⟧⟦U+200B⟧ی"),
        ("م\u00adی", "م⟦U+00AD⟧ی"),
        ("\u200c", "⟦U+200C⟧"),
    ],
)
def test_joiners_anywhere_else_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown

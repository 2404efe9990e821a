"""Every word of the first screen in six cases: the pick, its rule, its figures, and what speaks against it."""

from dataclasses import replace

import pytest
from analysis_builders import HAIKU as HAIKU_ID
from analysis_builders import JUDGE, Book, answered, round_, run_of, spec
from analysis_builders import OPUS as OPUS_ID
from analysis_builders import SONNET as SONNET_ID
from report_pages import made, plain_text, section

from evalkit.analysis import analyze
from evalkit.analysis.decide import decide
from evalkit.analysis.pair_results import Pair
from evalkit.analysis.reliability import JudgeValidity
from evalkit.analysis.results import Analysis
from evalkit.blocks import Facts, Note, Paragraph, Table
from evalkit.report import render_markdown
from evalkit.route import with_routing
from evalkit.series import clearing_router
from evalkit.stats import Estimate, judge_accuracy

RULE = (
    "The rule, fixed before the run: the lower limit of an option's 95% interval for its pass rate must reach 80%; of "
    "those that do, the one with the lowest cost per satisfactory output."
)
UNCALIBRATED = "The judge is uncalibrated: no person has graded a sample of these outputs."
SONNET = (
    "It is the cheapest of 2 models shown to clear your 80% bar: 92% of its outputs are satisfactory (82–96%, "
    "60 items), at 5.0¢ per satisfactory output (4.3–6.0¢)."
)
OPUS_NO_GAIN = (
    "Opus 4.6 costs more, no gain shown: +5 (−3 to +15) points, at 1.5× (1.3–1.6×) the cost per satisfactory output."
)
OPUS_CORRECTED = (
    "Corrections could favour Opus 4.6: At $5.00 to put right each unsatisfactory output, a request costs $0.24 "
    "with Opus 4.6 and $0.46 with Sonnet 4.6; item by item that is $0.22 (−$0.19 to $0.70) less."
)
HAIKU_MISSES = (
    "Haiku 4.5 misses the bar: 63% (51–74%) satisfactory, at 0.43× (0.35–0.55×) the cost per satisfactory output."
)


def first_screen(case: str) -> list[str]:
    """The verdict's words, block by block."""
    verdict = section(made(case), "verdict")
    lines = [verdict.heading, plain_text(verdict.lede)]
    for block in verdict.blocks:
        if isinstance(block, Paragraph):
            lines.append(plain_text(block.text))
        if isinstance(block, Facts):
            lines += [f"{fact.title}: {plain_text(fact.text)}" for fact in block.facts]
        if isinstance(block, Note):
            lines += [plain_text(sentence) for sentence in block.sentences]
    return lines


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("whole", ["Use Sonnet 4.6.", SONNET, RULE, HAIKU_MISSES, OPUS_NO_GAIN, OPUS_CORRECTED, UNCALIBRATED]),
        (
            "tie",
            [
                "Use Opus 4.6.",
                "It costs least, by the estimates alone, of 2 models shown to clear your 80% bar: 98% of its outputs "
                "are satisfactory (91% to >99%, 60 items), at 7.5¢ per satisfactory output (6.3–9.0¢).",
                RULE,
                "Sonnet 4.6 is not shown to differ: −2 (−9 to +4) points, at 1.04× (0.91–1.2×) the cost per "
                "satisfactory output.",
                "Paying for corrections keeps the pick: At $5.00 to put right each unsatisfactory output, Opus 4.6 has "
                "the lowest total of the models: 16¢ (8.8–52¢) a request, ahead of Sonnet 4.6 by the estimates.",
                UNCALIBRATED,
            ],
        ),
        (
            "no_option",
            [
                "No option clears the bar.",
                "Every option is shown to be below your 80% bar. The best is Opus 4.6: 60% of its outputs are "
                "satisfactory (47–71%, 60 items).",
                RULE,
                "Haiku 4.5 misses the bar: 28% (19–41%) satisfactory, at 4.1¢ (2.9–6.2¢) per satisfactory output.",
                "Sonnet 4.6 misses the bar: 50% (38–62%) satisfactory, at 7.1¢ (5.6–9.5¢) per satisfactory output.",
                "Opus 4.6 misses the bar: 60% (47–71%) satisfactory, at 9.7¢ (7.8–13¢) per satisfactory output.",
                UNCALIBRATED,
            ],
        ),
        (
            "one_item",
            [
                "Not enough data.",
                "Haiku 4.5, Sonnet 4.6 and Opus 4.6 come equally close: of each, 100% of the outputs are satisfactory "
                "(21–100%, 1 item), but the lower limit must reach 80%. If that rate holds, about 16 items would show "
                "that each clears the bar, with a chance of 80%.",
                RULE,
                "Haiku 4.5 is not shown to clear the bar: 100% (21–100%) satisfactory, at 0.81¢ (no interval, n = 1) "
                "per satisfactory output.",
                "Sonnet 4.6 is not shown to clear the bar: 100% (21–100%) satisfactory, at 3.6¢ (no interval, n = 1) "
                "per satisfactory output.",
                "Opus 4.6 is not shown to clear the bar: 100% (21–100%) satisfactory, at 5.5¢ (no interval, n = 1) "
                "per satisfactory output.",
                UNCALIBRATED,
            ],
        ),
        (
            "people_at_odds",
            [
                "Use Sonnet 4.6.",
                SONNET,
                RULE,
                HAIKU_MISSES,
                OPUS_NO_GAIN,
                OPUS_CORRECTED,
                "The graders are not shown to agree on what is satisfactory: alpha 0.02 (−0.20 to 0.23). Other graders "
                "could turn this verdict; see where they part.",
            ],
        ),
        (
            "one_model_failed",
            [
                "Use Sonnet 4.6.",
                SONNET,
                RULE,
                "Haiku 4.5 produced nothing satisfactory: 0 of 60 trials, 60 errored (0–6%).",
                OPUS_NO_GAIN,
                OPUS_CORRECTED,
                UNCALIBRATED,
            ],
        ),
    ],
)
def test_the_first_screen_says_exactly_this(case: str, words: list[str]) -> None:
    assert first_screen(case) == words


@pytest.mark.parametrize(("p_holm", "named"), [(0.06, True), (0.04, False), (None, False)])
def test_the_correction_that_undoes_a_gain_is_named(p_holm: float | None, named: bool) -> None:
    """The interval of the gain leaves 0, and only the adjustment for several comparisons keeps it from being shown."""
    analysis = made("whole")
    gain = Estimate(0.07, 0.01, 0.14, 0.95, 60, "Tango score")
    point = Estimate(0.05, 0.02, 0.13, 0.95, 60, "MOVER")

    def changed(pair: Pair) -> Pair:
        if {pair.a, pair.b} != {OPUS_ID, SONNET_ID}:
            return pair
        turned = gain if pair.b == OPUS_ID else replace(gain, value=-0.07, low=-0.14, high=-0.01)
        return replace(pair, difference=turned, break_even=point, p_value=0.03, p_holm=p_holm)

    analysis = replace(analysis, pairs=tuple(map(changed, analysis.pairs)))
    told = "after Holm's correction for 3 comparisons (p 0.060)"
    for name in ("verdict", "price-of-a-failure"):
        assert (told in str(section(analysis, name))) is named, name


def with_clearing_router(bar: float) -> Analysis:
    """A run in which no model clears the bar, and a router of the same models does."""
    weak = made("no_option")
    routed = with_routing(replace(weak, decision=decide(weak.models, bar)))
    routing = routed.routing
    assert routing is not None
    high = Estimate(1.0, 0.94, 1.0, 0.95, 60, "Wilson")
    best = next(v for v in routing.values if v.kind == "router" and min(s.value or 0.0 for s in v.shares.values()) > 0)
    limits = replace(high, low=0.88)
    shown = replace(best, pass_rate=high, rate_limits=limits, gain_usd=replace(best.gain_usd, value=9.0))
    values = tuple(shown if value is best else value for value in routing.values)
    return replace(routed, routing=replace(routing, values=values))


@pytest.mark.long
def test_a_router_that_clears_the_bar_is_not_denied_by_the_first_line() -> None:
    analysis = with_clearing_router(0.8)
    router = clearing_router(analysis)
    assert router is not None
    verdict = section(analysis, "verdict")
    assert verdict.heading == f"No model alone clears the bar; {router.phrase} does."
    told = plain_text(verdict.lede)
    assert told.startswith("Every model alone is shown to be below your 80% bar. The best is Opus 4.6: 60%")
    clears = f"T{router.phrase[1:]} clears it: 100% of its outputs are satisfactory"
    assert f"{clears} (88–100% with all routers looked at together, 60 items), at " in told
    assert section(analysis, "scorecard").heading == (
        f"No model alone has a lower limit that reaches 80%; {router.phrase} has"
    )
    assert section(analysis, "frontier").heading.startswith("By the estimates, of the models alone, Haiku 4.5 costs")
    scores = section(analysis, "scorecard").blocks[0]
    assert isinstance(scores, Table)
    assert [plain_text(row.cells[-1].text) for row in scores.rows] == ["below", "below", "below", "clears"]


def test_the_best_of_several_routers_does_not_clear_the_bar_by_its_own_interval() -> None:
    """With every model at the bar, some router of twenty had its own lower limit above it in 13 % of runs."""
    analysis = with_clearing_router(0.9)
    assert clearing_router(analysis) is None
    assert section(analysis, "verdict").heading == "No model alone clears the bar."
    scores = section(analysis, "scorecard").blocks[0]
    assert isinstance(scores, Table)
    last = scores.rows[-1].cells[-1]
    assert (plain_text(last.text).replace("\N{NO-BREAK SPACE}", " "), last.doubt) == (
        "not shown", "88–100% as the best of several routers",
    )  # fmt: skip


def test_a_router_that_clears_the_bar_is_named_where_the_models_are_open() -> None:
    analysis = with_clearing_router(0.7)
    assert section(analysis, "verdict").heading == "Not enough data."
    assert " clears it: 100% of its outputs" in plain_text(section(analysis, "verdict").lede)
    assert section(analysis, "scorecard").heading.startswith("No model alone")


@pytest.mark.parametrize(("usd", "told"), [(0.001, True), (10.0, False)])
def test_a_router_that_clears_the_bar_for_less_is_named_beside_the_pick(usd: float, told: bool) -> None:
    analysis = with_routing(made("whole"))
    routing = analysis.routing
    assert routing is not None
    high, cost = Estimate(1.0, 0.94, 1.0, 0.95, 60, "Wilson"), Estimate(usd, usd, usd, 0.95, 60, "MOVER-log")
    values = tuple(
        replace(value, pass_rate=high, rate_limits=high, cost_per_satisfactory=cost)
        if value.kind == "router"
        else value
        for value in routing.values
    )
    analysis = replace(analysis, routing=replace(routing, values=values))
    text = plain_text(section(analysis, "verdict").lede)
    assert ("clears it, for less by the estimates: 100% of its outputs" in text) is told
    assert ("The rule picks among models" in text) is told


def test_a_router_that_a_lenient_judge_alone_lifts_over_the_bar_is_not_said_to_clear_it() -> None:
    """By the labels of people the judge passes 20 points too many of what the router uses."""
    analysis = with_clearing_router(0.8)
    rate = Estimate(0.5, 0.4, 0.6, 0.95, 40, "double sampling")
    accuracy = judge_accuracy([1.0] * 30 + [0.0] * 30, [1.0] * 30 + [0.0] * 30)
    for points, cleared in ((0.2, False), (0.0, True)):
        corrected = {m.model: replace(rate, value=(m.pass_rate.value or 0.0) - points, low=0.0, high=1.0)
                     for m in analysis.models}  # fmt: skip
        judge = JudgeValidity("j", 60, accuracy, corrected, {}, ())
        judged = replace(analysis, judges=(judge,))
        assert (clearing_router(judged) is not None) is cleared
        heading = section(judged, "verdict").heading
        assert heading.startswith("No model alone clears the bar")
        assert heading.endswith(" does.") is cleared
        scores = section(judged, "scorecard").blocks[0]
        assert isinstance(scores, Table)
        assert plain_text(scores.rows[-1].cells[-1].text).replace("\N{NO-BREAK SPACE}", " ") == (
            "clears" if cleared else "not shown"
        )


def test_a_pick_that_a_lenient_judge_lifts_over_the_bar_is_said_to_rest_on_its_grades() -> None:
    """The declared rule goes by grades as they are; corrected by the labels of people they show less."""
    analysis = made("whole")
    accuracy = judge_accuracy([1.0] * 30 + [0.0] * 30, [1.0] * 30 + [0.0] * 30)
    for low, told in ((0.7, True), (0.85, False)):
        corrected = {m.model: Estimate(0.9, low, 0.95, 0.95, 60, "double sampling") for m in analysis.models}
        judged = replace(analysis, judges=(JudgeValidity("j", 60, accuracy, corrected, {}, ()),))
        lede = plain_text(section(judged, "verdict").lede)
        assert ("80% bar, by grades that the judge's errors may undo: " in lede) is told


def test_no_items_are_advised_for_a_model_that_is_below_the_bar_once_a_judge_is_corrected() -> None:
    """More of the same grades would end in a pick that people would not pass."""
    book = Book(spec((HAIKU_ID, OPUS_ID)), rounds=[round_(graders=(JUDGE, "ann"))])
    for item in range(400):
        for model, good in ((HAIKU_ID, item % 5 < 2), (OPUS_ID, item % 10 < 7)):
            seen = good or item // 10 % 2 == 0  # half of what is bad as well
            trial = book.trial(f"item-{item:03d}", answered(), model=model, level=int(seen))
            if item < 100:
                book.grade(trial, int(good), grader="ann")
    analysis = analyze(book.snapshot())
    lede = plain_text(section(analysis, "verdict").lede)
    assert "Opus 4.6 comes closest: " in lede
    assert "Corrected for what the judge got wrong beside people, Opus 4.6 is below that: see Graders." in lede
    assert "items would show" not in lede
    (warning,) = [text for text in analysis.warnings if text.startswith("Corrected for") and "Opus" in text]
    assert "which is below the 80% bar: see Graders." in warning


def test_one_model_alone_is_not_called_the_best_of_every_option() -> None:
    alone = analyze(run_of({OPUS_ID: [[i % 2 == 0] for i in range(40)]}))
    assert plain_text(section(alone, "verdict").lede) == (
        "Opus 4.6 is shown to be below your 80% bar: 50% of its outputs are satisfactory (35–65%, 40 items)."
    )


def test_equals_are_all_called_the_best() -> None:
    half = [[i % 2 == 0] for i in range(40)]
    tied = analyze(run_of({OPUS_ID: half, SONNET_ID: half}))
    assert plain_text(section(tied, "verdict").lede) == (
        "Every option is shown to be below your 80% bar. The best are Sonnet 4.6 and Opus 4.6, level: of each, 50% of "
        "the outputs are satisfactory (35–65%, 40 items)."
    )


def test_the_only_one_that_clears_the_bar_is_picked_without_a_price() -> None:
    """The rule chooses by cost among those that clear; there is nothing to choose from."""
    made_ = analyze(run_of({OPUS_ID: [[True]] * 40, SONNET_ID: [[i % 2 == 0] for i in range(40)]}))
    unknown = Estimate(None, None, None, 0.95, 40, "MOVER", reason="a request is unpriced")
    models = tuple(replace(m, cost_per_satisfactory=unknown) for m in made_.models)
    analysis = replace(made_, models=models, decision=decide(models, 0.8))
    assert section(analysis, "verdict").heading == "Use Opus 4.6."
    assert plain_text(section(analysis, "verdict").lede) == (
        "It is the only model shown to clear your 80% bar: 100% of its outputs are satisfactory (91–100%, 40 items), "
        "cost per satisfactory output unpriced (a request is unpriced)."
    )


@pytest.mark.long
def test_those_that_clear_the_bar_are_named_before_those_that_miss_it() -> None:
    """Where the first screen has no room for all, and in the short table the pick is never cut."""
    passes = {f"acme-{i}": [[k % 2 == 0] for k in range(40)] for i in range(7)}
    passes |= {f"best-{i}": [[True]] * 40 for i in range(3)}
    costs = {"best-2": 0.001}
    analysis = analyze(run_of(passes, costs))
    (told,) = (block for block in section(analysis, "verdict").blocks if isinstance(block, Facts))
    assert [fact.title.split()[0] for fact in told.facts][:3] == ["best-0", "best-1", "acme-0"]
    assert analysis.decision.option == "best-2"
    assert "| **best-2**" in render_markdown(analysis)
    assert "\n2 more in the full report." in render_markdown(analysis)

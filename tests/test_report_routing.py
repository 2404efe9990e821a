"""What the report says of routing: the decision first, few policies before many, nothing that the scorecard denies."""

import itertools
from dataclasses import replace

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, run_of, spec
from report_pages import made, plain_text, section

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import RoutingDecision, RoutingVerdict
from evalkit.blocks import Facts, Note, Paragraph, Table
from evalkit.report import build_report, render_html, render_markdown
from evalkit.route import with_routing
from evalkit.stats import Estimate
from evalkit.wording import NO_NUMBER

FIRST_LINES = 6


def many(routers: int) -> Analysis:
    """A run for which so many routers more were valued, each a little worse than the one before."""
    whole = made("routed")
    routing = whole.routing
    assert routing is not None
    like = next(each for each in routing.values if each.kind == "router")
    more = tuple(
        replace(like, name=f"r{i}", title=f"Router {i}", gain_usd=replace(like.gain_usd, value=-float(i)))
        for i in range(1, routers + 1)
    )
    return replace(whole, routing=replace(routing, values=(*routing.values, *more[::-1])))


def tables(analysis: Analysis) -> list[Table]:
    return [block for block in section(analysis, "routing").blocks if isinstance(block, Table)]


def names(shown: Table) -> list[str]:
    return [plain_text(row.cells[0].text) for row in shown.rows]


def test_of_many_policies_a_reader_sees_the_models_and_the_best_routers_and_the_rest_on_demand() -> None:
    analysis = many(20)
    assert analysis.routing is not None
    first, whole = tables(analysis)[:2]
    singles = [each.title for each in analysis.routing.values if each.kind == "single"]
    assert names(first)[:3] == singles
    assert len(first.rows) == FIRST_LINES
    assert not first.folded
    assert not any(name.startswith("Router") for name in names(first)), "the worst come last"
    assert sorted(names(whole)) == sorted(each.title for each in analysis.routing.values)
    assert names(whole)[-1].startswith("Oracle")
    assert whole.folded == f"All {len(whole.rows)} policies, with cost per satisfactory output and felt latency"
    count = f"<summary>All\N{NO-BREAK SPACE}{len(whole.rows)} policies, with"
    assert f'<details class="figures" open>{count}' in render_html(analysis)


def test_no_more_is_claimed_for_policies_than_the_figures_shown_can_tell() -> None:
    whole = made("routed")
    assert whole.routing is not None
    area = Estimate(0.91, 0.85, 0.95, 0.95, 60, "bootstrap")
    for more, told in ((1e-16, False), (1e-4, False), (0.02, True)):
        better = replace(area, value=0.91 + more)
        routing = replace(whole.routing, hull_area=better, hull_area_single=area)
        texts = [
            plain_text(block.text)
            for block in section(replace(whole, routing=routing), "routing").blocks
            if isinstance(block, Paragraph)
        ]
        assert any("the best policies satisfy" in text for text in texts) is told


def test_the_router_to_use_stands_first_among_routers_whatever_it_gains() -> None:
    analysis = many(20)
    assert analysis.routing is not None
    chosen = replace(analysis.routing.decision, verdict="route", policy="r20", router="r20")
    shown = tables(replace(analysis, routing=replace(analysis.routing, decision=chosen)))[0]
    assert names(shown)[3] == "Router 20"
    assert [row.picked for row in shown.rows] == [False, False, False, True, False, False]


def test_the_summary_has_the_decision_and_no_second_table() -> None:
    text = render_markdown(many(20))
    assert f"**{section(made('routed'), 'routing').heading}**" in text
    assert sum(line.startswith("|:--|") for line in text.splitlines()) == 1
    assert "Not valued" not in text


@pytest.mark.parametrize(
    ("verdict", "compared", "heading"),
    [
        ("route", 3, "The policy “By context size” saves "),
        ("keep", 3, "No router is 10% cheaper in total than Opus 4.6 alone"),
        ("keep", 0, "No router could be tried on these items"),
        ("not_enough_data", 3, "No router is shown to be cheaper in total than Opus 4.6 alone on 60 items"),
    ],
)
@pytest.mark.parametrize("picked", [True, False])
def test_the_heading_is_the_decision(verdict: RoutingVerdict, compared: int, heading: str, picked: bool) -> None:
    """With its price where the verdict, which goes by another one, names another model."""
    whole = made("routed")
    if picked:
        whole = replace(whole, decision=replace(whole.decision, option="claude-opus-4-6"))
    elif verdict != "route" and compared:
        heading = f"At $5.00 a failure n{heading[1:]}"
    assert whole.routing is not None
    router = next(each.name for each in whole.routing.values if each.title == "By context size")
    policy, single = (router if verdict == "route" else "always-claude-opus-4-6"), "always-claude-opus-4-6"
    decision = RoutingDecision(verdict, policy, single, compared, "it is so")
    made_ = section(replace(whole, routing=replace(whole.routing, decision=decision)), "routing")
    assert made_.heading.startswith(heading)
    assert made_.summary == (compared > 0)


def test_where_every_request_looks_the_same_only_the_reason_and_the_whole_list_are_shown() -> None:
    analysis = with_routing(analyze(run_of({HAIKU: [[i % 4 > 0] for i in range(40)], OPUS: [[True]] * 40})))
    shown = section(analysis, "routing")
    assert shown.heading == "No router could be tried on these items"
    assert [each.folded != "" for each in shown.blocks if isinstance(each, Table)] == [True]
    assert "Not valued: Complexity signals (every request looks the same); " in render_html(analysis)
    assert not any(isinstance(block, Note) for block in shown.blocks)


@pytest.mark.parametrize("items", [1, 5, 14, 15])
def test_few_items_have_the_interval_of_the_scorecard(items: int) -> None:
    passes = {model: [[i % k > 0] for i in range(items)] for k, model in ((2, HAIKU), (3, SONNET), (9, OPUS))}
    analysis = with_routing(analyze(run_of(passes)))
    assert analysis.routing is not None
    for model in (HAIKU, SONNET, OPUS):
        told, routed = analysis.model(model).pass_rate, analysis.routing.value_of(f"always-{model}").pass_rate
        assert (routed.value, routed.low, routed.high) == (told.value, told.low, told.high)


def test_where_nothing_is_satisfactory_nothing_is_said_of_routing() -> None:
    analysis = with_routing(analyze(run_of(dict.fromkeys((HAIKU, OPUS), [[False]] * 20))))
    assert analysis.routing is not None
    assert all(each.name != "routing" for each in build_report(analysis).sections)


def lots(analysis: Analysis, low: float | None, value: float) -> str:
    """What is said where one policy lies so far above drawing lots, and no other does."""
    assert analysis.routing is not None
    line = Estimate(value, low, None if low is None else value + 0.2, 0.95, 60, "m")
    values = tuple(
        replace(each, over_line=line if each.title == "By context size" else None) for each in analysis.routing.values
    )
    shown = section(replace(analysis, routing=replace(analysis.routing, values=values)), "routing")
    return next(t for b in shown.blocks if isinstance(b, Paragraph) and "lots" in (t := plain_text(b.text)))


@pytest.mark.parametrize(
    ("low", "value", "said"),
    [
        (
            0.02,
            0.1,
            "at the same cost the policy “By context size” satisfies 10 points more (+2 to +30 with all "
            "routers looked at together).",
        ),
        (
            -0.1,
            0.1,
            "which none is shown to: at the same cost the most is the policy “By context size” with +10 points ",
        ),
        (None, 0.0, "so a router must do better, and none does."),
    ],
)
def test_a_router_satisfies_more_than_lots_only_where_the_interval_excludes_zero(
    low: float | None, value: float, said: str
) -> None:
    text = lots(made("routed"), low, value)
    assert said in text
    assert ("points more" in text) is (low is not None and low > 0)


@pytest.mark.parametrize(
    ("verdict", "title"),
    [("route", "Routing costs less"), ("not_enough_data", "Routing could change this"), ("keep", "")],
)
def test_the_verdict_tells_what_routing_may_change(verdict: RoutingVerdict, title: str) -> None:
    whole = made("routed")
    assert whole.routing is not None
    router = next(each.name for each in whole.routing.values if each.title == "By context size")
    decision = replace(whole.routing.decision, verdict=verdict, policy=router, settles="90 items more")
    analysis = replace(whole, routing=replace(whole.routing, decision=decision))
    facts = next(block for block in section(analysis, "verdict").blocks if isinstance(block, Facts))
    told = [plain_text(fact.text) for fact in facts.facts if fact.title.startswith("Routing")]
    assert [fact.title for fact in facts.facts if fact.title.startswith("Routing")] == ([title] if title else [])
    assert all(text.startswith("The policy “By context size” ") for text in told)
    assert all(("To settle it: 90 items more." in text) is (verdict == "not_enough_data") for text in told)


def test_a_gain_that_no_number_of_items_would_show_is_not_on_the_first_screen() -> None:
    whole = made("routed")
    assert whole.routing is not None
    router = next(each.name for each in whole.routing.values if each.title == "By context size")
    decision = replace(
        whole.routing.decision, verdict="not_enough_data", policy=router, settles=f"{NO_NUMBER}: the gain is too small"
    )
    analysis = replace(whole, routing=replace(whole.routing, decision=decision))
    facts = next(block for block in section(analysis, "verdict").blocks if isinstance(block, Facts))
    assert not [fact.title for fact in facts.facts if fact.title.startswith("Routing")]
    assert NO_NUMBER in str(section(analysis, "routing").blocks[0]), "where routing is looked at"


@pytest.mark.parametrize(
    ("high", "title"), [(0.75, "Routing might cost less, below your bar"), (0.85, "Routing could change this")]
)
def test_a_router_that_misses_the_bar_itself_changes_no_verdict_of_it(high: float, title: str) -> None:
    whole = made("routed")
    assert whole.routing is not None
    router = next(each for each in whole.routing.values if each.title == "By context size")
    gain, rate = Estimate(0.04, -0.7, 0.8, 0.95, 60, "m"), Estimate(0.6, 0.5, high, 0.95, 60, "m")
    missed = replace(router, shown=False, gain_limits=gain, rate_limits=rate)
    decision = replace(whole.routing.decision, verdict="not_enough_data", policy=router.name, settles="more items")
    values = tuple(missed if each is router else each for each in whole.routing.values)
    analysis = replace(whole, routing=replace(whole.routing, decision=decision, values=values))
    told = next(block for block in section(analysis, "verdict").blocks if isinstance(block, Facts))
    (text,) = [plain_text(fact.text) for fact in told.facts if fact.title == title]
    assert f"(50–{high:.0%}) satisfactory, both with all routers looked at together. To settle it" in text


def test_why_a_policys_latency_is_unknown_is_said() -> None:
    analysis = made("routed")
    assert analysis.routing is not None
    reason = "the wait of 9% of the trials is not known"
    unknown = Estimate(None, None, None, 0.95, 0, "order statistics", reason=reason)
    values = tuple(replace(each, felt=dict.fromkeys(each.felt, unknown)) for each in analysis.routing.values)
    analysis = replace(analysis, routing=replace(analysis.routing, values=values))
    cells = [row.cells[-1] for row in tables(analysis)[1].rows]
    assert {(plain_text(cell.text), cell.doubt) for cell in cells} == {("unknown", reason)}
    (scores, *_) = [block for block in section(analysis, "scorecard").blocks if isinstance(block, Table)]
    assert (plain_text(scores.rows[-1].cells[4].text), scores.rows[-1].cells[4].doubt) == ("unknown", reason)


def test_a_column_of_money_has_one_unit() -> None:
    for shown in tables(made("routed"))[:2]:
        for place, column in enumerate(shown.columns):
            if column.label.startswith(("Total", "Saved")):
                units = {
                    text[-1] == "¢" for row in shown.rows if "best" not in (text := plain_text(row.cells[place].text))
                }
                assert len(units) == 1, column.label


@pytest.mark.parametrize("models", list(itertools.permutations((OPUS, SONNET, HAIKU))))
def test_of_models_that_are_level_in_all_the_verdict_and_routing_name_the_same(models: tuple[str, ...]) -> None:
    analysis = with_routing(analyze(run_of({model: [[i % 30 > 0] for i in range(60)] for model in models})))
    assert analysis.routing is not None
    assert analysis.routing.best == f"always-{analysis.decision.option}"


@pytest.mark.parametrize(("dear", "cheap"), [(OPUS, HAIKU), (HAIKU, OPUS)])
def test_of_models_that_are_level_in_the_end_the_one_with_the_lower_price_is_the_best_single_one(
    dear: str, cheap: str
) -> None:
    """A failure costs $5: at 1 of 50 more failed items, $0.10 less a request comes to the same."""
    book = Book(spec((OPUS, HAIKU)))
    for i in range(50):
        book.trial(f"i{i}", answered(0.12), model=dear, level=int(i > 0))
        book.trial(f"i{i}", answered(0.02), model=cheap, level=int(i > 1))
    routing = with_routing(analyze(book.snapshot())).routing
    assert routing is not None
    assert routing.best == f"always-{cheap}"


@pytest.mark.parametrize(
    ("holds", "told"),
    [
        ((True, False, None), "1 holds, 1 does not, 1 open"),
        ((True, True, False, False, None, None), "2 hold, 2 do not, 2 open"),
        ((None,), "0 hold, 0 do not, 1 open"),
    ],
)
def test_claims_are_counted_in_words_that_fit(holds: tuple[bool | None, ...], told: str) -> None:
    whole = made("routed")
    assert whole.routing is not None
    claim = whole.routing.claims[0]
    claims = tuple(replace(claim, holds=each) for each in holds)
    shown = tables(replace(whole, routing=replace(whole.routing, claims=claims)))
    (line,) = [each.folded for each in shown if "said to do" in (each.folded or "")]
    assert line is not None
    assert line.endswith(f": {told}")

"""What a router must not be talked into: by columns that hold the grade, by files that loop, by runs of no answers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, SONNET, run_of
from test_route_command import graded

from evalkit.analysis import Analysis, analyze
from evalkit.errors import UsageError
from evalkit.router import Output, Request, Router, RouterError
from evalkit.routing.own import refuse_grades


def coins(items: int = 200) -> Analysis:
    """Three models whose verdicts are coin flips of different odds: nothing known before the call tells them."""
    rng = np.random.default_rng(3)
    rates = {HAIKU: 0.6, SONNET: 0.75, OPUS: 0.85}
    passes = {m: [[bool(rng.random() < rate)] for _ in range(items)] for m, rate in rates.items()}
    return analyze(run_of(passes, {HAIKU: 0.01, SONNET: 0.03, OPUS: 0.05}))


def verdicts(analysis: Analysis, model: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([float(next(o for o in i.outputs if o.model == model).satisfied or 0) for i in analysis.outputs])


def columns(analysis: Analysis) -> Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]:
    cheap, top = verdicts(analysis, HAIKU), verdicts(analysis, OPUS)
    flipped, half = cheap.copy(), cheap.copy()
    flipped[:3] = 1 - flipped[:3]
    half[::2] = 0.5
    parity = 2 * np.random.default_rng(1).integers(0, 2, len(cheap)) + cheap
    return {
        "need": top - cheap, "only the top": top * (1 - cheap), "few flipped": flipped, "half": half, "parity": parity
    }  # fmt: skip


@pytest.mark.parametrize("name", ["need", "only the top", "few flipped", "half", "parity"])
def test_a_feature_made_of_grades_is_refused_by_name(name: str) -> None:
    analysis = coins()
    column = columns(analysis)[name]
    own = {item.id: {"alpha": float(x)} for item, x in zip(analysis.outputs, column, strict=True)}
    with pytest.raises(UsageError, match=r"column 'alpha' (repeats|tells) the"):
        refuse_grades(analysis, own, {})


def test_a_feature_that_honestly_tells_a_little_is_let_through() -> None:
    analysis = coins()
    rng, cheap = np.random.default_rng(5), verdicts(analysis, HAIKU)
    noisy = np.where(rng.random(len(cheap)) < 0.9, cheap, 1 - cheap)
    for column in (noisy, rng.random(len(cheap)), cheap + rng.normal(0, 0.6, len(cheap))):
        own = {item.id: {"alpha": float(x)} for item, x in zip(analysis.outputs, column, strict=True)}
        refuse_grades(analysis, own, {})


def test_a_tag_that_holds_a_verdict_is_refused() -> None:
    analysis = coins()
    cheap = verdicts(analysis, HAIKU)
    tagged = tuple(
        replace(item, tags=("good",) if passed else ("bad",))
        for item, passed in zip(analysis.outputs, cheap, strict=True)
    )
    with pytest.raises(UsageError, match="tag 'bad' repeats the"):
        refuse_grades(replace(analysis, outputs=tagged), {}, {})


def router(rule: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 1, "policy": "p", "simulated": False, "models": ["a", "b"], "own_features": ["u"],
        "rule": dict(rule), **changes,
    }  # fmt: skip


FIXED = {"kind": "fixed", "model": "a"}
ACCEPT = {"score": {"name": "s", "least": 0.5}}
CASCADE = {"kind": "cascade", "first": "a", "accept": ACCEPT, "then": "b"}


def deep(levels: int) -> dict[str, Any]:
    rule: dict[str, Any] = dict(CASCADE)
    for _ in range(levels):
        rule = {**CASCADE, "then": rule}
    return rule


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (router({**CASCADE, "then": "a"}), "asks a model twice"),
        (router({**CASCADE, "then": {**CASCADE, "first": "b", "then": "a"}}), "asks a model twice"),
        (router(deep(3000)), "nested too deeply"),
        (router(FIXED, schema_version=1.0), "schema_version"),
        (router(FIXED, evil=1), "'evil' is unknown"),
        (
            router({
                "kind": "thresholds", "score": [{"feature": "words", "cuts": [10**400]}], "steps": [], "otherwise": "a"
            }),
            "cuts",
        ),
        (
            router({
                "kind": "thresholds", "score": [{"feature": "words", "cuts": [1]}], "otherwise": "b",
                "steps": [{"below": 0.9, "model": "a"}, {"below": 0.1, "model": "b"}],
            }),
            "do not rise",
        ),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_followed_is_refused_in_one_line(content: dict[str, Any], said: str) -> None:
    with pytest.raises(RouterError, match=said) as refused:
        Router.of(content)
    assert "\n" not in str(refused.value)


def test_numbers_that_are_none_are_refused_in_one_line() -> None:
    found = Router.of(router(CASCADE))
    for given in (10**400, "3", None, float("nan"), True):
        with pytest.raises(RouterError, match="'u' is"):
            found.decide(Request("q", own={"u": given}))
        with pytest.raises(RouterError, match="score 's' is"):
            found.review(Request("q", own={"u": 1}), Output("a", "text", scores={"s": given}))


def test_a_rule_may_look_at_a_tag() -> None:
    rule = {
        "kind": "thresholds", "score": [{"feature": "tag:x", "cuts": [1.0]}], "steps": [{"below": 0.5, "model": "a"}],
        "otherwise": "b",
    }  # fmt: skip
    found = Router.of(json.loads(json.dumps(router(rule, own_features=[]))))
    assert [found.decide(Request("q", tags=tags)).model for tags in ((), ("x",))] == ["a", "b"]


def test_a_known_mean_without_an_interval_is_shown(tmp_path: Path) -> None:
    from evalkit.cli.route_table import policies_table
    from evalkit.route import route

    alike = replace(graded(40), attempts=tuple(replace(a, cost_usd=0.01) for a in graded(40).attempts))
    (cost,) = (c for c in policies_table(route(analyze(alike)), 0.8, 200).columns if c.header == "$ a request")
    assert next(iter(cost.cells)) == "1.0¢"

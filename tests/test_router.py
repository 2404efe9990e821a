"""`evalkit.router` by itself: one file without dependencies, which refuses what it cannot follow to the letter."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evalkit import router as module
from evalkit.router import Decision, Output, Request, Router, RouterError

HAIKU, SONNET, OPUS = "haiku", "sonnet", "opus"
THRESHOLDS: Mapping[str, Any] = {
    "kind": "thresholds",
    "score": [{"feature": "words", "cuts": [3.0, 10.0]}],
    "steps": [{"below": 0.5, "model": HAIKU}, {"below": 1, "model": SONNET}],
    "otherwise": OPUS,
}
LAST: Mapping[str, Any] = {"kind": "cascade", "first": SONNET, "accept": {"json": {}}, "then": OPUS}
CASCADE: Mapping[str, Any] = {
    "kind": "cascade",
    "first": HAIKU,
    "accept": {"ended_well": {}, "score": {"name": "p", "least": 0.5}},
    "then": LAST,
}
CLASSIFIER: Mapping[str, Any] = {
    "kind": "classifier", "classifier": "tiny", "system": "Sort.", "max_tokens": 9,
    "levels": {"simple": HAIKU, "standard": SONNET, "complex": OPUS},
}  # fmt: skip
MODEL: Mapping[str, Any] = {
    "model": HAIKU, "fixed_usd": 0.01, "per_character_usd": 0.001, "intercept": 0.0, "terms": [], "trees": [],
}  # fmt: skip
SURE = {**MODEL, "model": OPUS, "fixed_usd": 0.3, "per_character_usd": 0, "intercept": 900.0}
LEARNED: Mapping[str, Any] = {
    "kind": "learned",
    "failure_usd": 1,
    "models": [{**MODEL, "trees": [["tag:hard", 0.5, 9.0, -9.0]]}, SURE],
}


def content(rule: Any = THRESHOLDS, **changes: Any) -> dict[str, Any]:
    file = {"schema_version": 1, "policy": "p", "simulated": False, "models": [HAIKU, SONNET, OPUS]}
    return {**file, "own_features": [], "rule": rule, "source": {"more": "is passed over"}, **changes}


def words(count: int) -> Request:
    return Request("word " * count)


@pytest.mark.parametrize(
    "start",
    [pytest.param("import evalkit.router as r", id="in the package"), pytest.param("import router as r", id="a copy")],
)
def test_needs_the_standard_library_alone(start: str, tmp_path: Path, root: Path) -> None:
    shutil.copy(root / "evalkit" / "router.py", tmp_path)
    (tmp_path / "router.json").write_text(json.dumps(content(CASCADE)))
    code = f"""
import sys; sys.path[:0] = [{str(root)!r}] if "evalkit" in {start!r} else [{str(tmp_path)!r}]
{start}
slow = {{"dataclasses", "inspect", "typing", "json", "asyncio"}} & set(sys.modules)
read = r.Router.read({str(tmp_path / "router.json")!r})
assert read.decide(r.Request("Hi")).model == "haiku"
assert read.review(r.Request("Hi"), r.Output("haiku", "")).model == "sonnet"
ours = {{"__main__", "evalkit", "router"}}
others = {{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names - ours
print(sorted(others), sorted(slow), sorted(m for m in sys.modules if m.startswith("evalkit.")))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("[] [] ['evalkit.router']", "[] [] []")


@pytest.mark.parametrize(
    ("count", "model", "meanwhile"),
    [(1, HAIKU, None), (4, SONNET, None), (11, OPUS, SONNET)],
)
def test_the_top_tier_may_be_asked_behind_the_next_cheaper_one(count: int, model: str, meanwhile: str | None) -> None:
    decision = Router.of(content()).decide(words(count))
    assert (decision.model, decision.meanwhile) == (model, meanwhile)
    assert decision.reason


def test_a_router_of_one_model_has_no_other_to_answer_meanwhile() -> None:
    router = Router.of(content({"kind": "fixed", "model": OPUS}, models=[OPUS]))
    assert router.decide(words(1)) == Decision(OPUS, "every request goes there")


def test_a_cascade_looks_at_each_answer_and_shows_the_last_meanwhile() -> None:
    router, request = Router.of(content(CASCADE)), words(1)
    assert router.decide(request).model == HAIKU
    assert router.review(request, Output(HAIKU, "Fine.", scores={"p": 0.5})) is None
    up = router.review(request, Output(HAIKU, "Fine.", scores={"p": 0.4}))
    assert up == Decision(SONNET, "the answer of haiku does not pass score")
    assert router.review(request, Output(HAIKU, "Cut", "max_tokens", {"p": 1.0})) == Decision(
        SONNET, "the answer of haiku does not pass ended_well"
    )
    assert router.review(request, Output(SONNET, "{}")) is None
    assert router.review(request, Output(SONNET, "no")) == Decision(
        OPUS, "the answer of sonnet does not pass json", meanwhile=SONNET
    )
    assert router.review(request, Output(OPUS, "no")) is None


def test_a_classifier_is_asked_first() -> None:
    router = Router.of(content(CLASSIFIER))
    question = router.classify(Request("What?", ("abc",)))
    assert question is not None
    assert (question["model"], question["max_tokens"], question["system"]) == ("tiny", 9, "Sort.")
    assert "What?" in question["messages"][0]["content"]
    assert router.decide(words(1), '{"intent": "x", "complexity": "simple"}').model == HAIKU
    assert router.decide(words(1), "").model == OPUS, "what could not be classified is taken for complex"
    with pytest.raises(RouterError, match="give its answer as `classified`"):
        router.decide(words(1))
    assert Router.of(content()).classify(words(1)) is None


@pytest.mark.parametrize(
    ("request_", "model"),
    [
        (Request("Hi"), HAIKU),
        (Request("Hi", tags=("hard",)), OPUS),
        (Request("Hi", documents=("x" * 300,)), OPUS),
    ],
)
def test_a_learned_rule_weighs_price_and_chance(request_: Request, model: str) -> None:
    assert Router.of(content(LEARNED)).decide(request_).model == model


@pytest.mark.parametrize("given", [{}, {"urgency": "high"}, {"urgency": float("nan")}, {"urgency": None}])
def test_a_request_without_its_own_features_is_refused(given: Any) -> None:
    rule = {**THRESHOLDS, "score": [{"feature": "urgency", "cuts": [1.0]}]}
    router = Router.of(content(rule, own_features=["urgency"]))
    assert router.decide(Request("Hi", own={"urgency": 2})).model == OPUS
    with pytest.raises(RouterError, match="the request's 'urgency' is"):
        router.decide(Request("Hi", own=given))


def test_an_output_that_nobody_asked_for_or_without_its_score_is_refused() -> None:
    router = Router.of(content(CASCADE))
    with pytest.raises(RouterError, match="does not ask 'other'"):
        router.review(words(1), Output("other", "Hi"))
    with pytest.raises(RouterError, match="score 'p' is missing"):
        router.review(words(1), Output(HAIKU, "Hi"))


def changed(rule: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {**rule, **changes}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "not a JSON object"),
        (content(schema_version=2), "schema_version: 2 is unknown, this reads 1"),
        (content(schema_version=True), "schema_version: True is unknown"),
        ({k: v for k, v in content().items() if k != "schema_version"}, "schema_version: None is unknown"),
        (content(models="haiku"), "models: 'haiku' is not a list of names"),
        (content(own_features=None), "own_features: None is not"),
        (content(policy=3), "policy: 3 is not a name"),
        (content(simulated="no"), "simulated: 'no' is not true or false"),
        (content(None), "rule.kind: None is unknown, this reads fixed, thresholds"),
        (content({"kind": "magic"}), "rule.kind: 'magic' is unknown"),
        (content({"kind": ["fixed"]}), "rule.kind: ['fixed'] is unknown"),
        (content({"kind": "fixed"}), "rule: 'model' is missing"),
        (content({"kind": "fixed", "model": "gpt"}), "rule.model: 'gpt' is not a model"),
        (content({"kind": "fixed", "model": [OPUS]}), "rule.model: ['opus'] is not a model"),
        (content(changed(THRESHOLDS, more=1)), "rule: 'more' is unknown"),
        (content(changed(THRESHOLDS, score=[])), "rule.score: it names no feature"),
        (content(changed(THRESHOLDS, steps={})), "rule.steps: {} is not a list"),
        (content(changed(THRESHOLDS, score=[{"feature": "wrods", "cuts": [1]}])), "rule.score[0].feature: 'wrods'"),
        (
            content(changed(THRESHOLDS, score=[{"feature": "words", "cuts": []}])),
            "cuts: [] is not a list of rising numbers",
        ),
        (content(changed(THRESHOLDS, score=[{"feature": "words", "cuts": [2, 1]}])), "cuts: [2, 1] is not"),
        (content(changed(THRESHOLDS, score=[{"feature": "words", "cuts": [1, "2"]}])), "cuts: [1, '2'] is not"),
        (content(changed(LEARNED, models=[])), "rule.models: it names no model"),
        (content(changed(LEARNED, failure_usd=True)), "rule.failure_usd: True is not a number"),
        (content(changed(LEARNED, failure_usd=float("inf"))), "rule.failure_usd: inf is not a number"),
        (content(changed(LEARNED, models=[{**MODEL, "trees": [["words", 1, 2]]}])), "trees[0]: ['words', 1, 2] is not"),
        (content(changed(LEARNED, models=[{**MODEL, "trees": [["x", 1, 2, 3]]}])), "trees[0]: ['x', 1, 2, 3] is not"),
        (content(changed(CASCADE, then={**LAST, "kind": "fixed"})), "rule.then: "),
        (content(changed(CASCADE, then={**LAST, "then": "gpt"})), "rule.then.then: 'gpt' is not a model"),
        (content(changed(CASCADE, accept={"vibes": {}})), "rule.accept: 'vibes' is unknown"),
        (content(changed(CASCADE, accept={"length": {"typical": [1]}})), "rule.accept.length.typical: [1] is not"),
        (content(changed(CLASSIFIER, max_tokens=0)), "rule.max_tokens: 0 is not a count"),
        (content(changed(CLASSIFIER, levels={"simple": HAIKU})), "rule.levels: 'standard' is missing"),
    ],
)
def test_what_cannot_be_followed_to_the_letter_is_refused_in_one_line(wrong: Any, said: str) -> None:
    with pytest.raises(RouterError) as refused:
        Router.of(wrong)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "write it with `evalkit route export`" in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": NaN}', "[" * 100_000, "[]", "\ufeff{}"])
def test_a_file_that_is_no_router_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "router.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RouterError, match=r"router\.json: "):
        Router.read(path)


def test_features_count_as_the_schema_version_says() -> None:
    """A change here changes what exported files decide: raise SCHEMA_VERSION with it."""
    query = "Compare A vs B? If it rains, unless it depends on C, which one is better and why?"
    found = Request(query, ("twelve chars",) * 2, ("t",), {"own": 2.0})
    assert (module.SCHEMA_VERSION, dict(found.features)) == (
        1,
        {
            "words": 18.0, "questions": 2.0, "conditionals": 3.0, "comparisons": 4.0, "documents": 2.0,
            "context_characters": len(query) + 24.0, "own": 2.0,
        },
    )  # fmt: skip
    assert (found.values["tag:t"], found.values["tag:u"]) == (1.0, 0.0)
    with pytest.raises(KeyError):
        found.values["unknown"]

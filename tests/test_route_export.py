"""`evalkit route export`: the same decisions as the evaluation, in a file that says where it comes from."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, SONNET, run_of, write_run
from jsonschema import Draft202012Validator
from routing_worlds import GRADUAL
from typer.testing import CliRunner, Result

from evalkit.analysis import Analysis, analyze
from evalkit.analysis.routing import Routing
from evalkit.cli import application
from evalkit.errors import UsageError
from evalkit.records import Snapshot
from evalkit.rendering.json import dump
from evalkit.route import Asked as Wishes
from evalkit.route import export, outcomes_for, route
from evalkit.router import LEVELS, SCHEMA_VERSION, Request, Router
from evalkit.routing.classified import Classified
from evalkit.routing.crossfit import on_all
from evalkit.routing.export import _features, advice, exported, router_schema
from evalkit.routing.flows import Flow
from evalkit.routing.found import policies_of
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.policy import Policy
from evalkit.routing.seen import output_of

COSTS = {HAIKU: 0.01, SONNET: 0.3, OPUS: 0.9}
TEXTS = ("An answer.", "I don't know.", "", '{"a": 1}', "Not stated in the documents, I'm afraid. " * 20)


def graded(items: int = 130, simulated: bool = False) -> Snapshot:
    """Three models; requests, tags and outputs of many kinds."""
    rng = np.random.default_rng(3)
    rates = {OPUS: (0.95, 0.95, 0.95), HAIKU: (0.95, 0.3, 0.6), SONNET: (0.9, 0.6, 0.9)}
    passes = {m: [[bool(rng.random() < rate[i % 3])] for i in range(items)] for m, rate in rates.items()}
    made = run_of(passes, COSTS)
    kinds = ("Tell me more. ", "Compare them if you can? ", "Unless it rains, what then? ")
    return replace(
        made,
        spec=replace(made.spec, simulated=simulated),
        items=tuple(
            replace(item, task=kinds[i % 3] * (1 + i * 7 % 40), tags=("refund",) if i % 4 == 0 else ())
            for i, item in enumerate(made.items)
        ),
        attempts=tuple(replace(a, text=TEXTS[int(rng.integers(len(TEXTS)))]) for a in made.attempts),
    )


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """With the team's own number of each request and of each output, and a small model's view of each request."""
    own = {item.id: {"urgency": float(i % 7)} for i, item in enumerate(graded().items)}
    found = outcomes_for(analyze(graded()), Wishes(own=own))
    rng, shape = np.random.default_rng(1), found.satisfied.shape
    levels = tuple((LEVELS[i % 3] if i % 10 else None,) for i in range(len(found)))
    small = np.full((len(found), 1), 0.001)
    return replace(
        found, scores={"logprob": rng.normal(size=shape)}, classified=Classified(HAIKU, levels, small, small)
    )


@cache
def routed() -> tuple[Analysis, Routing]:
    """Every policy's value, which takes a second."""
    analysis = analyze(graded())
    return analysis, route(analysis)


def exportable(outcomes: Outcomes) -> list[tuple[Policy, Flow, Router]]:
    """Every policy that can be run, what the evaluation has it do, and the router that its file holds."""
    found = []
    for policy in policies_of(outcomes):
        fitted = on_all(outcomes, policy) if isinstance(policy, Policy) else None
        if isinstance(policy, Policy) and fitted is not None and fitted.rule is not None:
            own = ["urgency"] if "urgency" in _features(fitted.rule) else []
            content = {"schema_version": SCHEMA_VERSION, "policy": policy.name, "simulated": False,
                       "models": outcomes.models, "own_features": own, "rule": fitted.rule}  # fmt: skip
            found.append((policy, fitted.flow, Router.of(json.loads(json.dumps(content)))))
    return found


def asked(outcomes: Outcomes, router: Router, item: int, epoch: int) -> tuple[int, ...]:
    """The models that the router has an application ask for a trial."""
    request = outcomes.requests[item]
    level = outcomes.classified.levels[item][epoch] if outcomes.classified else None
    answer = None if router.classify(request) is None else json.dumps({"intent": "x", "complexity": level})
    decision, places = router.decide(request, answer), []
    while decision is not None:
        places.append(outcomes.place(decision.model))
        decision = router.review(request, output_of(outcomes, item, places[-1], epoch))
    return tuple(places)


@pytest.mark.long
def test_every_policy_decides_in_production_as_it_was_evaluated_on_every_item(outcomes: Outcomes) -> None:
    compared = exportable(outcomes)
    kinds = {router.rule["kind"] for _, _, router in compared}
    assert kinds == {"fixed", "thresholds", "learned", "cascade", "classifier"}
    assert {"boosting", "logistic", "by-urgency"} <= {policy.name for policy, _, _ in compared}
    for policy, flow, router in compared:
        for item in range(len(outcomes)):
            taken = [path.asked for path in flow.paths if path.weight[item, 0] == 1]
            assert taken == [asked(outcomes, router, item, 0)], (policy.name, item)


@pytest.mark.long
def test_no_policy_sends_all_of_these_requests_alike_but_the_single_ones(outcomes: Outcomes) -> None:
    """Or the test above would compare little."""
    ways = {policy.name: len({asked(outcomes, router, i, 0) for i in range(60)}) for policy, _, router in
            exportable(outcomes)}  # fmt: skip
    assert min(ways[name] for name in ("logistic", "boosting", "classifier")) > 1
    assert sum(number > 1 for number in ways.values()) > len(ways) / 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "x.db", graded())


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(application(), ["route", "export", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.mark.long
def test_writes_what_the_schema_describes_with_its_origin_and_value(run: Path, tmp_path: Path) -> None:
    found = invoke(run, "--policy", "signals", "-o", tmp_path / "router.json")
    assert found.exit_code == 0, found.output
    content = json.loads((tmp_path / "router.json").read_text())
    Draft202012Validator(router_schema()).validate(content)
    analysis, routing = routed()
    value = routing.value_of("signals")
    assert content["source"]["dataset_sha256"] == "d" * 64
    assert content["source"]["run_sha256"] == analysis.spec.sha256
    assert content["worth"]["gain_usd"] == json.loads(dump(value.gain_usd))
    assert (content["simulated"], content["policy"]) == (False, "signals")
    router = Router.read(tmp_path / "router.json")
    assert router.decide(Request("Tell me more.")).model in router.models


@pytest.mark.parametrize("name", ["logistic", "boosting", f"always-{OPUS}", "cascade-haiku-opus-hedge"])
def test_every_kind_keeps_to_the_schema(name: str, outcomes: Outcomes) -> None:
    analysis, routing = routed()
    names = [v.name for v in routing.values if v.exportable]
    kept = name if name in names else next(n for n in names if n.startswith("cascade"))
    content = json.loads(dump(exported(analysis, routing, outcomes_for(analysis, Wishes()), kept)))
    Draft202012Validator(router_schema()).validate(content)
    broken = {**content, "rule": {**content["rule"], "more": 1}}
    assert not Draft202012Validator(router_schema()).is_valid(broken)


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(run: Path, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert invoke(run, "--policy", "boosting", "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_the_published_schema_is_the_one_that_the_records_make(root: Path) -> None:
    assert (root / "evalkit" / "schemas" / "router.schema.json").read_text(encoding="utf-8") == dump(router_schema())
    assert router_schema()["properties"]["schema_version"]["const"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mixture-1", "it draws lots"),
        ("oracle", "it looks at the grades"),
        ("signls", "did you mean 'signals'?"),
        ("classifier", "it was not valued, since no request was classified"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason_and_nothing_is_written(
    name: str, said: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.route.route", lambda *_: routed()[1])  # of the same run
    found = invoke(run, "--policy", name, "-o", tmp_path / "router.json")
    assert isinstance(found.exception, UsageError)
    assert said in str(found.exception)
    assert not (tmp_path / "router.json").exists()


@pytest.mark.long
def test_says_which_tags_and_own_features_a_caller_must_give() -> None:
    analysis, routing = routed()
    assert exported(analysis, routing, outcomes_for(analysis, Wishes()), "logistic").tags == ("refund",)
    own = {item.id: {"urgency": float(i % 7)} for i, item in enumerate(graded().items)}
    assert export(analyze(graded()), Wishes(own=own), "by-urgency")[0].own_features == ("urgency",)


@pytest.mark.slow
def test_warns_where_the_decision_names_another_policy(run: Path, tmp_path: Path) -> None:
    _, routing = routed()
    kept = replace(routing, decision=replace(routing.decision, verdict="keep", policy=f"always-{OPUS}"))
    assert advice(kept, f"always-{OPUS}") is None
    assert f"to keep always-{OPUS}" in str(advice(kept, "signals"))
    decided = replace(routing, decision=replace(routing.decision, verdict="route", policy="signals"))
    assert advice(decided, "signals") is None
    assert "to route signals" in str(advice(decided, "by-words"))
    unsure = replace(routing, decision=replace(routing.decision, verdict="not_enough_data"))
    assert "not enough data" in str(advice(unsure, unsure.decision.policy))
    found = invoke(run, "--policy", f"always-{HAIKU}", "-o", tmp_path / "router.json")
    assert (found.exit_code, "warning: " in found.output) == (0, True)


@pytest.mark.long
def test_the_default_is_what_was_decided(tmp_path: Path) -> None:
    found = invoke(write_run(tmp_path / "x.db", graded(simulated=True)), "-o", tmp_path / "router.json")
    assert "(SIMULATED)" in found.output
    content = json.loads((tmp_path / "router.json").read_text())
    assert (content["policy"], content["simulated"]) == (routed()[1].decision.policy, True)
    cheap = Wishes(failure_usd=0.001)
    routing, (file, _) = route(routed()[0], cheap), export(routed()[0], cheap)
    assert (routing.decision.verdict, routing.decision.single) == ("keep", f"always-{HAIKU}")
    assert file.policy == f"always-{routed()[0].decision.option}", "the model that the report picks"


def test_a_world_with_one_way_exports_its_numbers_exactly() -> None:
    """Floats survive the file."""
    world = GRADUAL.draw(2, 150)
    policy = next(p for p in policies_of(world) if isinstance(p, Policy) and p.name == "boosting")
    rule = on_all(world, policy).rule
    assert json.loads(json.dumps(rule)) == rule

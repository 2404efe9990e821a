"""A valued policy as a file that `evalkit.router` runs: its rule, where it comes from, and what it was valued at."""

from collections.abc import Mapping
from typing import Any, Literal

from evalkit import __version__
from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import NotValued, PolicyKind, Routing, RoutingVerdict
from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.router import FEATURES, SHAPES, TAG
from evalkit.routing.crossfit import on_all
from evalkit.routing.found import policies_of
from evalkit.routing.outcomes import Outcomes
from evalkit.stats import Estimate
from evalkit.strict import did_you_mean

_WHY_NOT: Mapping[PolicyKind, str] = {
    "mixture": "it draws lots, which is worth nothing; it is there to be beaten",
    "oracle": "it looks at the grades, which nobody has in production",
}


@dataclass(frozen=True)
class Source:
    """The run that a policy was valued on, by name and hashes, when it began, and the version that valued it."""

    run: str
    run_sha256: str
    dataset_sha256: str
    rubric_sha256: str
    run_created_at: str
    evalkit_version: str


@dataclass(frozen=True)
class Worth:
    """What the policy was valued at, on so many items. Money in USD a request, rates from 0 to 1; cross-fitted where
    numbers were `tuned`. `gain_usd`: what a request costs less in the end than with the best single model.
    """

    title: str
    what: str
    tuned: int
    told: str
    items: int
    epochs: int
    failure_usd: float
    single: str
    pass_rate: Estimate
    cost_per_request: Estimate
    gain_usd: Estimate
    verdict: RoutingVerdict
    decided_policy: str
    reason: str


@dataclass(frozen=True)
class RouterFile:
    """A policy to run. `schema_version` rises when a rule would be read otherwise or a feature counts otherwise.

    `models` are those the rule may send requests to, rising in cost. `own_features` and `tags` are what a caller must
    give with each request, beside its text and its documents' texts.
    """

    schema_version: Literal[1]
    simulated: bool
    policy: str
    models: tuple[str, ...]
    own_features: tuple[str, ...]
    tags: tuple[str, ...]
    rule: Mapping[str, Any]
    source: Source
    worth: Worth


def exported(analysis: Analysis, routing: Routing, outcomes: Outcomes, name: str) -> RouterFile:
    """The policy of that name with its numbers set on all items; UsageError for one that cannot be run, or is none."""
    rule = _rule(routing, outcomes, name)
    features = _features(rule)
    spec = analysis.spec
    return RouterFile(
        schema_version=1,
        simulated=analysis.simulated,
        policy=name,
        models=tuple(model for model in outcomes.models if model in _texts(rule)),
        own_features=tuple(sorted(features - set(FEATURES) - _tagged(features))),
        tags=tuple(sorted(tag.removeprefix(TAG) for tag in _tagged(features))),
        rule=rule,
        source=Source(
            spec.name, spec.sha256, spec.dataset_sha256, spec.rubric_sha256, spec.created_at, __version__
        ),
        worth=_worth(routing, name),
    )  # fmt: skip


def advice(routing: Routing, name: str) -> str | None:
    """What to say of exporting a policy that the decision does not name; None where it does."""
    decision = routing.decision
    if decision.verdict == "route" and decision.policy == name:
        return None
    if decision.verdict == "not_enough_data":
        said = f"there is not enough data ({decision.reason}); the decision keeps {decision.policy} meanwhile"
    else:
        said = f"the decision is to {decision.verdict} {decision.policy} ({decision.reason})"
    return None if decision.verdict == "keep" and decision.policy == name else said


def _rule(routing: Routing, outcomes: Outcomes, name: str) -> Mapping[str, Any]:
    refused = next((each for each in routing.not_valued if each.name == name), None)
    if refused is not None:
        raise UsageError(f"policy {name!r} cannot be exported: it was not valued, since {refused.reason}")
    known = [value.name for value in routing.values]
    if name not in known:
        raise UsageError(f"unknown policy {name!r}; {did_you_mean(name, known)}")
    policy = next(p for p in policies_of(outcomes) if not isinstance(p, NotValued) and p.name == name)
    rule = on_all(outcomes, policy).rule
    if rule is None:
        reason = _WHY_NOT.get(policy.kind, "nothing in production can decide as it does")
        others = ", ".join(value.name for value in routing.values if value.exportable)
        raise UsageError(f"policy {name!r} cannot be exported: {reason}; use one of: {others}")
    return rule


def _worth(routing: Routing, name: str) -> Worth:
    value, decision = routing.value_of(name), routing.decision
    return Worth(
        title=value.title,
        what=value.what,
        tuned=value.tuned,
        told=value.told,
        items=routing.items,
        epochs=routing.epochs,
        failure_usd=routing.failure_usd,
        single=routing.best,
        pass_rate=value.pass_rate,
        cost_per_request=value.cost_per_request,
        gain_usd=value.gain_usd,
        verdict=decision.verdict,
        decided_policy=decision.policy,
        reason=decision.reason,
    )


def _tagged(features: set[str]) -> set[str]:
    return {name for name in features if name.startswith(TAG)}


def _features(part: Any) -> set[str]:
    """The features that a part of a rule names, in its `feature` keys and in its trees."""
    if isinstance(part, Mapping):
        named = {part["feature"]} if "feature" in part else set()
        return named.union(*(_features(value) for value in part.values()))
    if isinstance(part, (list, tuple)):
        node = {part[0]} if len(part) == 4 and isinstance(part[0], str) else set()
        return node.union(*map(_features, part))
    return set()


def _texts(part: Any) -> set[str]:
    """Every text in a part of a rule that names no feature, no check and no classifying model."""
    if isinstance(part, Mapping):
        return set[str]().union(*(_texts(value) for key, value in part.items() if key not in ("classifier", "accept")))
    if isinstance(part, (list, tuple)):
        return set[str]().union(*map(_texts, part))
    return {part} if isinstance(part, str) else set()


def router_schema() -> Mapping[str, Any]:
    """The JSON Schema of a router file, made from the records and from the shapes that the router reads."""
    from pydantic import TypeAdapter

    made = TypeAdapter(RouterFile).json_schema(mode="serialization")
    kinds = {kind: _as_schema({"kind": {"const": kind}, **shape}) for kind, shape in SHAPES.items()}
    made["$defs"] |= {**kinds, "tree": _TREE, "then": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/cascade"}]}}
    made["properties"]["rule"] = {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in SHAPES]}
    return {**made, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "evalkit router"}


_NUMBERS: Mapping[str, Any] = {"type": "array", "items": {"type": "number"}}
_TREE: Mapping[str, Any] = {
    "anyOf": [
        {"type": "number"},
        {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "number"}, *[{"$ref": "#/$defs/tree"}] * 2],
            "minItems": 4,
            "maxItems": 4,
        },
    ]
}
_LEAVES: Mapping[str, Any] = {
    "text": {"type": "string"},
    "model": {"type": "string"},
    "feature": {"type": "string"},
    "number": {"type": "number"},
    "count": {"type": "integer", "minimum": 1},
    "cuts": {**_NUMBERS, "minItems": 1},
    "pair": {**_NUMBERS, "minItems": 2, "maxItems": 2},
    "tree": {"$ref": "#/$defs/tree"},
    "then": {"$ref": "#/$defs/then"},
}


def _as_schema(shape: Any) -> Mapping[str, Any]:
    if isinstance(shape, str):
        leaf: Mapping[str, Any] = _LEAVES[shape]
        return leaf
    if isinstance(shape, list):
        return {"type": "array", "items": _as_schema(shape[0])}
    if "const" in shape:
        return {"const": shape["const"]}
    return {
        "type": "object",
        "properties": {name.rstrip("?"): _as_schema(part) for name, part in shape.items()},
        "required": [name for name in shape if not name.endswith("?")],
        "additionalProperties": False,
    }

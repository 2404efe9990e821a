"""What an exported router costs production: its import, and a decision."""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.rig import QUICK, ROUNDS, Row, alternated, middle, spend

IMPORT_S, DECISION_S = 0.020, 0.001
CASES = (("signals", 60), ("logistic", 60), ("boosting", 60), ("boosting", 2_000))
"""Policies, and words of the request that they decide on."""


def router() -> Iterator[Row]:
    """The import in processes of their own, over one that imports nothing; each decision on a request not seen yet."""
    sides = {name: [sys.executable, "-S", "-c", code] for name, code in
             {"ours": "import evalkit.router", "nothing": "pass"}.items()}  # fmt: skip
    taken = alternated(
        4 * ROUNDS + 1, {name: lambda c=command: spend(c, Path.cwd()) for name, command in sides.items()}
    )
    took = middle(taken["ours"], "cpu_s") - middle(taken["nothing"], "cpu_s")
    yield Row("router", "import of evalkit.router, CPU", f"{1000 * took:.1f} ms", "", "", "20 ms", took < IMPORT_S)
    for policy, words in CASES[:1] if QUICK else CASES:
        cost = spend([sys.executable, "-m", "bench.routing", policy, str(words)], Path.cwd())
        took = float(cost.output)
        what = f"a decision, {policy}, {words:,} words"
        yield Row("router", what, f"{1000 * took:.3f} ms", "", "", "1 ms", took < DECISION_S)


def main(name: str, words: str) -> None:
    """Print the median seconds of a decision."""
    from routing_worlds import GRADUAL

    from evalkit.router import Request, Router
    from evalkit.routing.crossfit import on_all
    from evalkit.routing.found import policies_of
    from evalkit.routing.policy import Policy

    outcomes = GRADUAL.draw(1, 300)
    policy = next(p for p in policies_of(outcomes) if isinstance(p, Policy) and p.name == name)
    content = {"schema_version": 1, "policy": name, "simulated": True, "models": outcomes.models, "own_features": []}
    router = Router({**content, "rule": on_all(outcomes, policy).rule})
    times = []
    for i in range(300):
        query = " ".join(["Tell me whether"] + ["it rains there"] * (int(words) // 3) + [str(i)])
        began = perf_counter()
        router.decide(Request(query, ("A document. " * 400,)))
        times.append(perf_counter() - began)
    print(median(times))


if __name__ == "__main__":
    main(*sys.argv[1:])

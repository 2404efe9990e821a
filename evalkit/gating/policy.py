"""`gate.yaml`: what a candidate must show, fixed outside the rubric and checked whole before anything is spent."""

import importlib
import pkgutil
from collections.abc import Collection, Iterator
from functools import cache
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from evalkit import checks as check_folder
from evalkit.errors import ProblemsError
from evalkit.gating.looks import Sequential
from evalkit.strict import StrictModel, content_sha256, read_strict

OnInconclusive = Literal["fail", "warn", "pass"]
NO_QUALITY = "the policy does not ask for quality, so nothing is said of it; add `quality: {margin: 0.10}`"
BARE = BeforeValidator(lambda written: {} if written is None else written)
"""A name with nothing behind it asks for all defaults, and is an error where a setting has none; never left out."""


class Common(StrictModel):
    """What a policy says beside its checks.

    `alpha`: one-sided error of each check. `on_inconclusive`: whether the command then ends with code 3 (fail), or
    with 0 (warn says so, pass does not). `baseline`, `candidate`: model ids, where the run holds others too.
    `sequential`: planned looks before the end, None for none.
    """

    baseline: Annotated[str, Field(min_length=1)] | None = None
    candidate: Annotated[str, Field(min_length=1)] | None = None
    alpha: Annotated[float, Field(ge=0.0001, le=0.2)] = 0.05
    on_inconclusive: OnInconclusive = "fail"
    sequential: Annotated[Sequential | None, BARE] = None

    @property
    def asked(self) -> Iterator[tuple[ModuleType, Any]]:
        """The checks that are asked for, in order, each with its settings."""
        for name, module in check_modules().items():
            settings = getattr(self, name)
            if settings is not None:
                yield module, settings

    @property
    def asks_for_quality(self) -> bool:
        """Whether a pass says anything of how good the outputs are: costs and times alone do not."""
        return getattr(self, "quality", None) is not None

    @property
    def asks_for_verdicts(self) -> bool:
        """Whether it takes graded outputs to say anything."""
        return self.asks_for_quality or getattr(self, "cost_per_satisfactory", None) is not None

    @property
    def slices(self) -> Collection[str]:
        """The difficulties and tags (and critical criteria) that quality is asked of by themselves."""
        return getattr(getattr(self, "quality", None), "slices", ())

    @property
    def sha256(self) -> str:
        """Content hash of what is asked, of whichever two models; comments and layout of the file do not change it, nor
        does a key that came later, if absent."""
        came_later = {"sequential"} if self.sequential is None else None
        asked = self.model_dump(mode="json", exclude=came_later)
        return content_sha256({**asked, "baseline": None, "candidate": None})


@cache
def check_modules() -> dict[str, ModuleType]:
    """Every check by name, in order."""
    names = [info.name for info in pkgutil.iter_modules(check_folder.__path__)]
    found = {name: importlib.import_module(f"{check_folder.__name__}.{name}") for name in names}
    return dict(sorted(found.items(), key=lambda pair: (pair[1].ORDER, pair[0])))


@cache
def policy_model() -> type[Common]:
    """The grammar of `gate.yaml`: one optional key for each check."""
    fields: dict[str, Any] = {
        name: (Annotated[module.Settings | None, BARE], None) for name, module in check_modules().items()
    }
    return create_model("Policy", __base__=Common, **fields)


def read_policy(text: str, file: str) -> Common:
    """A policy; ProblemsError with every problem it has, one that asks for no check among them."""
    policy = read_strict(policy_model(), text, file)
    if isinstance(policy, list):
        raise ProblemsError([str(problem) for problem in policy])
    if not list(policy.asked):
        raise ProblemsError([f"{file}:1: the policy asks for no check; add `quality: {{margin: 0.10}}`"])
    if policy.sequential is not None and policy.sequential.fail_fast and not policy.asks_for_quality:
        raise ProblemsError([f"{file}:1: 'fail_fast' looks at quality alone; add `quality: {{margin: 0.10}}`"])
    return policy


def default_policy(items: int, epochs: int) -> Common:
    """What is asked without a `gate.yaml`: 5 points from 100 items with 3 epochs, else 10, of nearly all trials."""
    margin = 0.05 if items >= 100 and epochs >= 3 else 0.10
    return policy_model().model_validate({"quality": {"margin": margin}, "completeness": {}})

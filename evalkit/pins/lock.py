"""`evalkit.lock`: each approved pin with the evidence that it was approved on."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evalkit.errors import ProblemsError, UsageError
from evalkit.strict import StrictModel, content_sha256, read_strict

NAME = "evalkit.lock"
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Approval(StrictModel):
    """One pin and what it was approved on. `sha256` is of all the rest, so that an edit by hand shows.

    It is no signature: whoever can write the file can write a new hash too; a reviewer of the change sees that.
    """

    model: Annotated[str, Field(min_length=1)]
    replaces: Annotated[str, Field(min_length=1)]
    verdict: Literal["pass", "fail", "inconclusive"]
    approved_on: _Day
    items: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1)]
    simulated: bool
    headline: str
    run_sha256: _Hash
    baseline_run_sha256: _Hash
    dataset_sha256: _Hash
    rubric_sha256: _Hash
    prompt_sha256: _Hash
    policy_sha256: _Hash
    evalkit: str
    sha256: _Hash

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed since it was written."""
        return self.sha256 == _hash_of(self.model_dump(mode="json"))


class Lock(StrictModel):
    """All approvals, one a model, and how long one holds. `dataset`, `rubric`, `policy`: files that they must be of."""

    version: Literal[1] = 1
    max_age_days: Annotated[int, Field(ge=1)] = 180
    dataset: str | None = None
    rubric: str | None = None
    policy: str | None = None
    approvals: Annotated[tuple[Approval, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _names_each_model_once(self) -> "Lock":
        models = [approval.model for approval in self.approvals]
        for model in models:
            if models.count(model) > 1:
                raise ValueError(f"model {model!r} is approved twice; keep one")
        return self


def read_lock(text: str, file: str) -> Lock:
    """A lock file; ProblemsError with every problem it has."""
    lock = read_strict(Lock, text, file)
    if isinstance(lock, list):
        raise ProblemsError([str(problem) for problem in lock])
    return lock


def write_lock(lock: Lock) -> str:
    """As text: one approval after another, sorted by model, so that changes read well in a review."""
    content = lock.model_dump(mode="json", exclude_none=True)
    content["approvals"].sort(key=lambda one: one["model"])
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def approval_of(report: Mapping[str, Any], model: str, replaces: str, day: date) -> Approval:
    """What a gate's JSON report says of its candidate, as an approval; UsageError for anything else.

    A gate of a model against itself tries the graders, and approves nothing.
    """
    if model == replaces:
        raise UsageError(f"the report is of {model} against itself, which approves nothing; gate a candidate")
    try:
        gate = report["gate"]
        hashes = gate["provenance"]
        content = {
            "model": model,
            "replaces": replaces,
            "verdict": gate["verdict"],
            "approved_on": day.isoformat(),
            "items": gate["items"],
            "epochs": gate["epochs"],
            "simulated": gate["simulated"],
            "headline": report["headline"],
            "run_sha256": hashes["candidate_run_sha256"],
            "evalkit": hashes["evalkit"],
            **{name: hashes[name] for name in _NAMES},
        }
        return Approval.model_validate({**content, "sha256": _hash_of(content)})
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("this is no gate report; write one with `evalkit gate -o gate.json`") from error


_NAMES = ("baseline_run_sha256", "dataset_sha256", "rubric_sha256", "prompt_sha256", "policy_sha256")


def with_approval(lock: Lock, approval: Approval) -> Lock:
    """The lock with one approval more, in place of an older one of the same model."""
    others = tuple(one for one in lock.approvals if one.model != approval.model)
    return lock.model_copy(update={"approvals": (*others, approval)})


def _hash_of(content: Mapping[str, Any]) -> str:
    return content_sha256({name: value for name, value in content.items() if name != "sha256"})


def faults(
    lock: Lock, model: str, wanted: Mapping[str, str], today: date, *, allow_simulated: bool = False
) -> Iterator[str]:
    """Why a model has no valid evidence, each in words; nothing if it has. `wanted`: hash by name, as of today."""
    found = next((one for one in lock.approvals if one.model == model), None)
    if found is None:
        yield "no evidence"
        return
    if not found.is_whole:
        yield "its evidence was edited by hand"
    if found.verdict != "pass":
        yield f"its gate ended {found.verdict}"
    if found.simulated and not allow_simulated:
        yield "its evidence is simulated"
    for name, value in wanted.items():
        if getattr(found, name) != value:
            yield f"its evidence is of another {name.removesuffix('_sha256')}"
    age = today - date.fromisoformat(found.approved_on)
    if age > timedelta(days=lock.max_age_days):
        yield f"its evidence is {age.days} days old, {lock.max_age_days} are allowed"
    if age < timedelta(0):
        yield f"its evidence is dated in the future ({found.approved_on})"

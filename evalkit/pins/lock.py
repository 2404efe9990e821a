"""`evalkit.lock`: each approved pin with the evidence that it was approved on."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from evalkit.errors import IntegrityError, ProblemsError, UsageError
from evalkit.models import pin_of
from evalkit.pins.spelling import may_be
from evalkit.strict import STRICT, StrictModel, content_sha256, read_strict, sealed, shown

NAME = "evalkit.lock"
WORTHLESS = "asks for no quality"
"""In place of a policy's hash: what it asks for is no reason to approve a pin, whatever hash it has."""

_MOVED = "is kept with each approval now; delete this line, and approve the gate's report again"


def _real(day: str) -> str:
    try:
        date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"{shown(day)} is no day; write one as 2026-11-26") from None
    return day


_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_real)]
_Name = Annotated[str, Field(min_length=1)]


class Approval(StrictModel):
    """One pin and what it was approved on. `sha256` is of all the rest, so that an edit by hand shows.

    `dataset`, `rubric`, `policy`: the files that the evidence is of, from the lock's folder. No dataset: its outputs
    were imported. No policy: it was gated by what `evalkit gate` asks by itself. `expires_on` is None in files of
    version 1, which did not say of which files evidence was; `evidence_on`, the day from which age counts, where
    it was not kept yet.
    It is no signature: whoever can write the file can write a new hash too; a reviewer of the change sees that.
    """

    model: _Name
    replaces: _Name
    verdict: Literal["pass", "fail", "inconclusive"]
    approved_on: _Day
    evidence_on: _Day | None = None
    expires_on: _Day | None = None
    items: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1)]
    simulated: bool
    headline: str
    dataset: _Name | None = None
    rubric: _Name | None = None
    policy: _Name | None = None
    run_sha256: _Hash
    baseline_run_sha256: _Hash
    dataset_sha256: _Hash
    rubric_sha256: _Hash
    prompt_sha256: _Hash
    policy_sha256: _Hash
    evalkit: str
    sha256: _Hash

    @property
    def made_on(self) -> date:
        """The day that its age counts from: that of the candidate's first output, whenever it was approved."""
        return date.fromisoformat(self.evidence_on or self.approved_on)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed since it was written."""
        return self.sha256 == _hash_of(self.model_dump(mode="json"))

    def is_of(self, model: str, replaces: str | None) -> bool:
        """Whether it is about a model, and about its standing in for that other one if one is named."""
        return may_be(model, self.model) and (replaces is None or same_baseline(replaces, self.replaces))

    @field_validator("*")
    @classmethod
    def _can_be_written(cls, value: object) -> object:
        if isinstance(value, str):
            value.encode("utf-8")  # not so half a surrogate pair, which JSON can hold and no file that is read again
        return value


def same_baseline(model: str, other: str) -> bool:
    """Whether evidence against the other is evidence against a model: an alias is what it stands for."""
    return may_be(pin_of(model) or model, pin_of(other) or other)


class Lock(StrictModel):
    """All approvals, one for each model in place of another on a dataset, and for how many days a new one holds."""

    model_config = ConfigDict(**STRICT, frozen=True, json_schema_extra={
        "retired": dict.fromkeys(("dataset", "rubric", "policy"), _MOVED)
    })  # fmt: skip

    version: Literal[1, 2] = 2
    max_age_days: Annotated[int, Field(ge=1, le=3650)] = 180
    approvals: Annotated[tuple[Approval, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _names_each_pair_once(self) -> "Lock":
        pairs = [(approval.model, approval.replaces, approval.dataset) for approval in self.approvals]
        for model, replaces, dataset in pairs:
            if pairs.count((model, replaces, dataset)) > 1:
                on = f" on {shown(dataset)}" if dataset else ""
                raise ValueError(f"model {model!r} is approved twice in place of {replaces!r}{on}; keep one")
        return self


_CONFLICT = ("<<<<<<< ", ">>>>>>> ")
"""What git writes into a file whose two sides it cannot put together."""


def read_lock(text: str, file: str) -> Lock:
    """A lock file; ProblemsError with every problem it has."""
    conflict = next((n for n, line in enumerate(text.splitlines(), start=1) if line.startswith(_CONFLICT)), None)
    if conflict is not None:
        raise ProblemsError(
            [f"{file}:{conflict}: two branches changed it, and git has left both in it; take one of them"
             f" (`git checkout --ours -- {file}`, once that is committed `git checkout COMMIT -- {file}`), and approve"
             " again what the other had approved"]
        )  # fmt: skip
    lock = read_strict(Lock, text, file, "JSON")
    if isinstance(lock, list):
        raise ProblemsError([str(problem) for problem in lock])
    return lock


def write_lock(lock: Lock) -> str:
    """As text: one approval after another, by model, baseline and dataset, so that changes read well in a review."""
    content = lock.model_dump(mode="json", exclude_none=True) | {"version": 2}
    content["approvals"].sort(key=lambda one: (one["model"], one["replaces"], one.get("dataset", "")))
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def approval_of(
    report: Mapping[str, Any], model: str, replaces: str, day: date, lasts_days: int = 180, **files: str | None
) -> Approval:
    """What a gate's JSON report says of its candidate, as an approval; UsageError for anything else, and
    IntegrityError where its hash says that it was edited, and where its outputs are older than `lasts_days` already.

    `files`: the dataset, rubric and policy that it is of, from the lock's folder. A gate of a model against itself
    tries the graders, and approves nothing.
    """
    if model == replaces:
        raise UsageError(f"the report is of {model} against itself, which approves nothing; gate a candidate")
    try:
        gate = report["gate"]
        hashes = gate["provenance"]
        made_on = datetime.fromisoformat(hashes["created_at"]).date()
        content = {
            "model": model,
            "replaces": replaces,
            "verdict": gate["verdict"],
            "approved_on": day.isoformat(),
            "evidence_on": made_on.isoformat(),
            "expires_on": (made_on + timedelta(days=lasts_days)).isoformat(),
            "items": gate["items"],
            "epochs": gate["epochs"],
            "simulated": gate["simulated"],
            "headline": report["headline"],
            "run_sha256": hashes["candidate_run_sha256"],
            "evalkit": hashes["evalkit"],
            **{name: hashes[name] for name in _NAMES},
            **files,
        }
        found = Approval.model_validate({**content, "sha256": _hash_of(content)})
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("this is no gate report; write one with `evalkit gate -o gate.json`") from error
    if report != sealed(report):
        raise IntegrityError("this gate report was edited by hand; write it anew with `evalkit gate -o gate.json`")
    if gate.get("known_worse") or gate.get("noticed") is not None:
        raise UsageError("the report is of a sensitivity check, whose candidate is known to be worse; gate without it")
    age_days = (day - made_on).days
    if age_days > lasts_days:
        raise IntegrityError(
            f"this gate report is of outputs of {made_on}, {age_days} days old, {lasts_days} are allowed; run {model}"
            " anew into another file (`evalkit run -o`), grade and gate that"
        )
    return found


_NAMES = ("baseline_run_sha256", "dataset_sha256", "rubric_sha256", "prompt_sha256", "policy_sha256")


def with_approval(lock: Lock, approval: Approval) -> Lock:
    """The lock with one approval more, in place of those that it supersedes."""
    gone = superseded(lock, approval)
    return lock.model_copy(update={"approvals": (*(one for one in lock.approvals if one not in gone), approval)})


def superseded(lock: Lock, approval: Approval) -> list[Approval]:
    """Those of the same two models on the same dataset, also where it has another name or other items now; and those
    that do not say of which dataset they are, although they are of one."""
    return [
        one
        for one in lock.approvals
        if one.is_of(approval.model, approval.replaces)
        and (one.dataset == approval.dataset or one.dataset_sha256 == approval.dataset_sha256 or one.expires_on is None)
    ]


def _hash_of(content: Mapping[str, Any]) -> str:
    return content_sha256({name: value for name, value in content.items() if name != "sha256" and value is not None})


def faults(
    held: Approval, wanted: Mapping[str, str], today: date, max_age_days: int, *, allow_simulated: bool = False
) -> Iterator[str]:
    """Why evidence does not count, each in words; nothing if it does. `wanted`: hash by name, as of today, empty where
    the file that the evidence is of is gone, `WORTHLESS` for a policy that approves nothing."""
    if not held.is_whole:
        yield "its evidence was edited by hand"
    if held.expires_on is None:
        yield "its evidence does not say of which dataset and rubric it is; approve the gate's report again"
    if held.verdict != "pass":
        yield f"its gate ended {held.verdict}"
    if held.simulated and not allow_simulated:
        yield "its evidence is simulated"
    for name, value in wanted.items():
        kind = name.removesuffix("_sha256")
        if not value:
            yield f"the {kind} of its evidence, {shown(getattr(held, kind))}, is not here any more"
        elif value == WORTHLESS:
            yield f"the policy of its evidence, {shown(held.policy or 'gate.yaml')}, does not ask for quality"
        elif getattr(held, name) != value:
            yield f"its evidence is of another {kind}"
    age = today - held.made_on
    if age > timedelta(days=max_age_days):
        yield f"its evidence is {age.days} days old, {max_age_days} are allowed"
    elif held.expires_on is not None and today > date.fromisoformat(held.expires_on):
        yield f"its evidence held until {held.expires_on}"
    if age < timedelta(0):
        yield f"its evidence is dated in the future ({held.made_on})"

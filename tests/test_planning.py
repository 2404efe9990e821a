"""Planning: one record an item and size, what fits is counted, and a run file is never mixed with another run."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from evalkit.cli.choice import sizes
from evalkit.config import OwnRates
from evalkit.dataset import Attachment, Card, Dataset, Params
from evalkit.errors import IntegrityError, UsageError
from evalkit.fitting import NoServer, Variant, fitted_plan
from evalkit.planning import Options, Prepared, make_spec, prepare, start
from evalkit.pricing import Prices
from evalkit.providers import Preflight
from evalkit.records import Reply, Request
from evalkit.rubric import Rubric
from evalkit.spec_differences import differences
from tests.analysis_builders import HAIKU, OPUS, PASS_OR_FAIL
from tests.builders import dataset, item
from tests.memory import traced

RUBRIC = Rubric.model_validate_json(json.dumps(PASS_OR_FAIL))


@dataclass
class Counter:
    """A provider that only counts: four characters a token."""

    counted: list[Request] = field(default_factory=list)

    async def preflight(self, models: object) -> Preflight:
        return Preflight("http://here", simulated=True)

    async def count_tokens(self, request: Request) -> int:
        self.counted.append(request)
        return sum(len(str(message["content"])) for message in request.messages) // 4 + 1

    async def attempt(self, request: Request) -> Reply:
        raise AssertionError("planning sends nothing")

    async def close(self) -> None:
        return None


def library(items: int = 3) -> Dataset:
    documents = {f"d{n}": f"{n} " * 1000 for n in range(200)}
    rows = [item(f"i{n}") for n in range(items)]
    return dataset(*rows, documents=documents, evidence={row.id: ("d1",) for row in rows})


async def plan(place: Path, options: Options, made: Dataset | None = None, by: Counter | None = None) -> Prepared:
    return await prepare(made or library(), RUBRIC, options, by or Counter(), place, lambda *_: None)


async def test_a_sweep_has_every_item_at_every_size_with_its_evidence(tmp_path: Path) -> None:
    prepared = await plan(tmp_path, Options((OPUS, HAIKU), contexts=(2000, 10_000)))
    ids = [(record.id, record.variant_of, record.context_tokens) for record in prepared.plan.items]
    assert ids == [(f"i{n}@{size}", f"i{n}", size) for n in range(3) for size in (2000, 10_000)]
    assert all("d1" in record.documents for record in prepared.plan.items)
    assert prepared.left == 3 * 2 * 2
    for size in prepared.plan.sizes:
        context = int(size.item_id.split("@")[1])
        assert 0.6 * context < size.tokens <= context
    assert prepared.plan.spec.contexts == (2000, 10_000)
    assert prepared.plan.spec.context_tokens is None


@pytest.mark.parametrize(("size", "answer", "needed"), [(199_200, 700, None), (195_000, 20_000, "215,000")])
async def test_what_fits_a_window_hangs_on_what_its_items_may_write(
    size: int, answer: int, needed: str | None, tmp_path: Path
) -> None:
    made = library()
    made = replace(made, items=tuple(replace(one, params=Params(max_tokens=answer)) for one in made.items))
    prepared = await plan(tmp_path, Options((HAIKU,), contexts=(2000, size)), made)
    skipped = [note for note in prepared.notes if "skipped" in note]
    told = f"skipped: {needed} tokens of context and answer do not fit {HAIKU!r} (200,000)"
    assert skipped == ([] if needed is None else [told])


async def test_a_larger_size_holds_the_smaller_ones_documents_or_more(tmp_path: Path) -> None:
    prepared = await plan(tmp_path, Options((OPUS,), contexts=(4000, 40_000)))
    for small, large in zip(prepared.plan.items[::2], prepared.plan.items[1::2], strict=True):
        assert len(large.documents) > len(small.documents)


async def test_a_size_over_a_models_window_is_skipped_with_a_reason_and_the_others_are_run(tmp_path: Path) -> None:
    prepared = await plan(tmp_path, Options((OPUS, HAIKU), contexts=(2000, 250_000)))
    at_large = {key.model for key in prepared.plan.order if key.item_id.endswith("@250000")}
    assert at_large == {OPUS}
    assert [note for note in prepared.notes if "skipped" in note and HAIKU in note]
    with pytest.raises(UsageError, match="no size is left"):
        await plan(tmp_path, Options((HAIKU,), contexts=(250_000, 300_000)))
    with pytest.raises(UsageError, match="lower --context or leave the model out"):
        await plan(tmp_path, Options((OPUS, HAIKU), contexts=(250_000,)))


async def test_a_prompt_over_a_models_window_is_refused_by_its_counted_size(tmp_path: Path) -> None:
    fits, over = (dataset(item("long", input="x" * 4 * tokens)) for tokens in (198_900, 199_100))
    assert (await plan(tmp_path, Options((HAIKU, OPUS)), fits)).left
    with pytest.raises(UsageError) as raised:
        await plan(tmp_path, Options((HAIKU, OPUS)), over)
    (line,) = str(raised.value).splitlines()
    assert f"item 'long': model '{HAIKU}' rejects this request: 199,101 tokens of prompt and 1,024 of answer" in line
    many = dataset(*(item(f"i{n}", input="x" * 800_000 + str(n)) for n in range(12)))
    with pytest.raises(UsageError, match="and 2 more like these"):
        await plan(tmp_path, Options((HAIKU,)), many)


@pytest.mark.long
async def test_of_very_many_prompts_a_part_is_counted_and_the_rest_is_called_an_estimate(tmp_path: Path) -> None:
    many = dataset(*(item(f"i{n}", input=f"What is due? {n}" + " x" * (n // 8)) for n in range(4000)))
    counter = Counter()
    prepared = await plan(tmp_path, Options((OPUS, HAIKU)), many, counter)
    assert len(counter.counted) < 4000 + 10
    assert {size.counted for size in prepared.plan.sizes} == {True, False}
    assert all(0 < line.uncounted < line.requests for line in prepared.bill.lines)
    counted = {size.item_id: size.tokens for size in prepared.plan.sizes if size.counted}
    told = {size.item_id: size.tokens for size in prepared.plan.sizes if not size.counted}
    assert sum(told.values()) / len(told) == pytest.approx(sum(counted.values()) / len(counted), rel=0.1)


@pytest.mark.long
async def test_what_is_set_aside_for_a_prompt_beyond_the_sample_owes_nothing_to_the_sample(tmp_path: Path) -> None:
    words = "Where is the parcel that left on Monday? " * 20
    many = dataset(*(item(f"i{n}", input=words if n % 2 == 0 else "qzxjkv" * 200) for n in range(3100)))
    prepared = await plan(tmp_path, Options((OPUS, HAIKU)), many, Counter())
    sizes = {size.item_id: size for size in prepared.plan.sizes if not size.counted}
    assert len(sizes) > 1000
    assert all((sizes[one.id].most_tokens or 0) >= len(one.task) for one in many.items if one.id in sizes)


async def test_another_run_is_refused_by_name_and_said_to_differ(tmp_path: Path) -> None:
    file = tmp_path / "mine.db"
    first = await plan(file, Options((OPUS,)))
    start(first, library())
    again = await plan(file, Options((OPUS,)))
    assert (again.exists, again.done) == (True, 0)
    with pytest.raises(
        IntegrityError, match=rf"mine\.db holds another run \(models, seed differ; its models, in this order: {OPUS}\)"
    ):
        await plan(file, Options((OPUS, HAIKU), seed=9))
    with pytest.raises(IntegrityError, match=r"\(dataset differs; in the dataset: items\)"):
        await plan(file, Options((OPUS,)), library(4))
    with pytest.raises(IntegrityError, match=r"holds another run \(output cap differs\)"):
        await plan(file, Options((OPUS,), max_tokens=77))
    assert file.exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda made: replace(made, items=(item("i0", system="Be brief."), *made.items[1:])), "system prompt"),
        (lambda made: replace(made, documents={**made.documents, "d1": "other"}), "documents"),
        (lambda made: replace(made, card=Card(params=Params(max_tokens=7))), "params"),
        (lambda made: replace(made, items=made.items[::-1]), "order of the items"),
        (lambda made: replace(made, items=(item("i0", tags=("new",)), *made.items[1:])), "tags"),
        (lambda made: replace(made, items=(item("i0", difficulty="hard"), *made.items[1:])), "difficulty"),
        (
            lambda made: replace(made, attachments={"a.png": Attachment("a.png", "image/png", "0" * 64, b"x")}),
            "what a run file does not hold: template, attachments, turns, params or cache",
        ),
    ],
)
async def test_what_is_another_one_in_the_dataset_is_named(
    change: Callable[[Dataset], Dataset], named: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.db"
    start(await plan(file, Options((OPUS,))), library())
    with pytest.raises(IntegrityError, match=rf"\(dataset differs; in the dataset: {named}\); name another file"):
        await plan(file, Options((OPUS,)), change(library()))


async def test_going_on_with_other_prices_is_said(tmp_path: Path) -> None:
    start(await plan(tmp_path, Options((OPUS,))), library())
    assert (await plan(tmp_path, Options((OPUS,)))).notes == ()
    own = Options((OPUS,), prices=Prices({OPUS: OwnRates(input=1, output=10)}))
    (note,) = (await plan(tmp_path, own)).notes
    assert note.startswith("begun with other prices: genai-prices ")
    assert ", own rates " in note.split("from here on")[1]


async def test_a_new_run_beside_an_earlier_one_says_what_differs(tmp_path: Path) -> None:
    start(await plan(tmp_path, Options((OPUS,))), library())
    (note,) = (await plan(tmp_path, Options((OPUS,), max_tokens=99))).notes
    assert "output cap differs; nothing of it is reused" in note


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rubric_sha256": "x"}, ["rubric"]),
        ({"context_tokens": 5, "seed": 3}, ["seed", "context"]),
        ({"contexts": (1, 2)}, ["contexts"]),
        ({"cache": "as-production"}, ["cache"]),
        ({"created_at": "x", "package_version": "x", "prices_version": "x", "rates": {}}, []),
    ],
)
def test_differences_name_what_makes_another_run(change: dict[str, object], said: list[str]) -> None:
    ours = make_spec("r", library(), RUBRIC, Options((OPUS,)), Preflight("here", simulated=True))
    theirs = replace(ours, **change)
    assert [rates.input for rates in ours.rates[OPUS]] == [5.0], "by what the run is priced"
    assert differences(ours, theirs) == said
    assert (ours.sha256 == theirs.sha256) == (not said)


@pytest.mark.parametrize(("text", "found"), [("50k", (50_000,)), ("10k,2k,1.5k", (1500, 2000, 10_000))])
def test_sizes_are_read_in_rising_order(text: str, found: tuple[int, ...]) -> None:
    assert sizes(text) == found


@pytest.mark.parametrize("text", ["", "2k,", "2k,2000", "2k;3k", "0", "-1", "2k,x"])
def test_sizes_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--context"):
        sizes(text)


@pytest.mark.long
async def test_what_planning_returns_is_not_spelled_out(tmp_path: Path) -> None:
    """asyncio asks for the text of what a command's main task returns."""
    prepared = await plan(tmp_path, Options((OPUS,)), library(300))
    assert len(repr(prepared)) < 200


@pytest.mark.long
def test_a_plan_of_many_items_takes_a_few_hundred_bytes_of_each() -> None:
    def held(items: int) -> int:
        made = dataset(*(item(f"i{n}") for n in range(items)))
        spec = make_spec("made", made, None, Options((OPUS, HAIKU)), Preflight("", simulated=True))
        variants = [Variant(one, n, None, spec.models, one.id) for n, one in enumerate(made.items)]
        return traced(lambda: asyncio.run(fitted_plan(made, spec, variants, NoServer(), lambda *_: None, {})))

    held(10)  # what is loaded once
    assert (held(900) - held(300)) / 600 < 340

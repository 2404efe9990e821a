"""What a user is told of a run's prompts before it is paid for: what of them is not sent, and what nobody can size."""

from collections.abc import Collection, Iterable, Iterator

from evalkit.cache_marks import CacheMode, chosen_marks, has_marks
from evalkit.dataset import Dataset, Item
from evalkit.plan import Plan
from evalkit.prompt import unmarked_documents
from evalkit.uncounted import unseen_documents
from evalkit.wording import plural


def prompt_notes(plan: Plan, dataset: Dataset, cache: CacheMode) -> Iterator[str]:
    """A line for each; none for most runs."""
    marks, marked = chosen_marks(cache, dataset), sum(map(has_marks, dataset.items))
    if marked and not (marks is not None and marks.turns):
        yield (
            f"the marks for caching (cache_control) in the turns of {plural(marked, 'item')} are not sent;"
            " --cache as-production with `cache: {turns: true}` in the card sends them"
        )
    if marks is not None and marks.documents and (apart := unmarked_documents(dataset)):
        yield (
            f"the documents of {plural(len(apart), 'item')} are not marked for caching, since the template prints them"
            " otherwise than as one block; print {{ documents }} whole to measure what production's cache does"
        )
    if naming := naming_prompts(plan, dataset, [record.id for record in plan.items]):
        yield f"{naming}: each is one page in what is expected, and all that its model takes in the most"


def naming_prompts(plan: Plan, dataset: Dataset, item_ids: Collection[str]) -> str:
    """How many prompts of these items nobody can size, for a document is only named and no server has counted it; empty
    for none.
    """
    uncounted = {size.item_id for size in plan.sizes if not size.counted}.intersection(item_ids)
    items = {item.id: item for item in dataset.items}
    prompts = [items[record.variant_of or record.id] for record in plan.items if record.id in uncounted]
    return naming(prompts)


def naming(prompts: Iterable[Item]) -> str:
    """How many prompts, which nobody has counted, only name a document; empty for none."""
    count = sum(any(turn.blocks and unseen_documents(turn.blocks) for turn in item.turns) for item in prompts)
    if not count:
        return ""
    return f"{plural(count, 'uncounted prompt')} with documents named by URL or file id, whose length nobody knows"

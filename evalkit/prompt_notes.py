"""What a user is told of a run's prompts before it is paid for: what of them is not sent, and what nobody can size."""

from collections.abc import Iterator

from evalkit.cache_marks import CacheMode, chosen_marks, has_marks
from evalkit.dataset import Dataset
from evalkit.plan import Plan
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
    uncounted = {size.item_id for size in plan.sizes if not size.counted}
    items = {item.id: item for item in dataset.items}
    prompts = [items[record.variant_of or record.id] for record in plan.items if record.id in uncounted]
    naming = sum(any(turn.blocks and unseen_documents(turn.blocks) for turn in item.turns) for item in prompts)
    if naming:
        yield (
            f"{plural(naming, 'uncounted prompt')} with documents named by URL or file id, whose length nobody knows:"
            " each is one page in what is expected, and all that its model takes in the most"
        )

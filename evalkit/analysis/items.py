"""Items with all their outputs, as the report shows them."""

from collections import defaultdict
from collections.abc import Sequence

from evalkit.analysis.remarks import Remark, remarks
from evalkit.analysis.results import ItemResult, OutputResult
from evalkit.analysis.trials import TrialResult
from evalkit.analysis.without_batches import unbatched_usd
from evalkit.pricing import Prices
from evalkit.records import ItemRecord, Snapshot


def item_results(snapshot: Snapshot, results: Sequence[TrialResult], prices: Prices) -> tuple[ItemResult, ...]:
    """One for each item, in the order of the run; `prices` are those that it was priced by."""
    by_item: dict[str, list[TrialResult]] = defaultdict(list)
    said, batched = remarks(snapshot), frozenset(id_ for batch in snapshot.batches for id_ in batch.attempts)
    for result in results:
        by_item[result.key.item_id].append(result)
    return tuple(
        _item(
            item,
            [
                _output(
                    result,
                    said.get(result.trial_id, ()),
                    batched,
                    unbatched_usd(result, item, prices, snapshot.spec.prices_version),
                )
                for result in by_item[item.id]
            ],
            snapshot.spec.models,
        )
        for item in snapshot.items
    )


def _item(item: ItemRecord, outputs: Sequence[OutputResult], models: Sequence[str]) -> ItemResult:
    return ItemResult(
        id=item.id,
        task=item.task,
        reference=item.reference,
        difficulty=item.difficulty,
        tags=item.tags,
        documents=item.documents,
        evidence_positions=item.evidence_positions,
        outputs=tuple(sorted(outputs, key=lambda output: (models.index(output.model), output.epoch))),
    )


def _output(
    result: TrialResult, said: tuple[Remark, ...], batched: frozenset[int], unbatched_usd: float | None
) -> OutputResult:
    last = result.last
    return OutputResult(
        trial_id=result.trial_id,
        model=result.key.model,
        epoch=result.key.epoch,
        outcome=result.outcome,
        text=last.text if last else "",
        satisfied=result.satisfied,
        score=result.score,
        levels=result.levels,
        comments=result.comments,
        ungraded=result.ungraded,
        cost_usd=result.known_usd,
        latency_s=last.latency_s if last else None,
        ttft_s=last.ttft_s if last else None,
        attempts=len(result.attempts),
        error=result.error,
        remarks=said,
        input_tokens=last.usage.total_input_tokens if last else None,
        output_tokens=last.usage.output_tokens if last else None,
        felt_s=last.felt_s if last else None,
        decided_by=result.decided_by,
        judge_satisfied=result.judge_satisfied,
        people_unsure=result.people_unsure,
        by_people=result.by_people,
        given=result.given,
        batched=last is not None and last.id in batched,
        unbatched_usd=unbatched_usd,
        settled=result.settled,
        in_sample=result.in_sample,
    )

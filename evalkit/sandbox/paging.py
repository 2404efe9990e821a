"""Cuts a list into the pages of the API's list endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalkit.sandbox.wire import ApiError, Json

DEFAULT_LIMIT, GREATEST_LIMIT = 20, 1000


def page(rows: Sequence[Json], query: Mapping[str, str]) -> Json:
    """The page after `after_id`, before `before_id`, or the first; 400 for a limit outside 1 to 1000."""
    limit = _limit(query.get("limit", str(DEFAULT_LIMIT)))
    ids = [row["id"] for row in rows]
    if query.get("before_id") in ids:
        end = ids.index(query["before_id"])
        chosen, has_more = rows[max(0, end - limit) : end], end > limit
    else:
        start = ids.index(query["after_id"]) + 1 if query.get("after_id") in ids else 0
        chosen, has_more = rows[start : start + limit], start + limit < len(rows)
    first_id, last_id = (chosen[0]["id"], chosen[-1]["id"]) if chosen else (None, None)
    return {"data": list(chosen), "has_more": has_more, "first_id": first_id, "last_id": last_id}


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= GREATEST_LIMIT:
        raise ApiError(400, f"limit: {text} is not between 1 and {GREATEST_LIMIT}")
    return int(text)

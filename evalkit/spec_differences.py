"""What makes two specs different runs, in words."""

from collections.abc import Sequence

from evalkit.records import Spec

_WHAT = {
    "dataset_sha256": "dataset",
    "rubric_sha256": "rubric",
    "prompt_sha256": "prompt",
    "context_tokens": "context",
    "max_tokens": "output cap",
    "condition": "choice of items",
}
_SAID_ELSEWHERE = {
    "contexts", "rubric", "package_version", "prices_version", "created_at", "economics_stated", "rates",
    "dataset_files", "rubric_file", "kept_sha256",
}  # fmt: skip


def differences(ours: Spec, theirs: Spec) -> list[str]:
    """What makes two specs different runs, in words."""
    names = [name for name in ours.__dataclass_fields__ if name not in _SAID_ELSEWHERE]
    differ = [name for name in names if getattr(ours, name) != getattr(theirs, name)]
    if "max_tokens" in differ and ours.dataset_sha256 == theirs.dataset_sha256:
        differ = [name for name in differ if name != "prompt_sha256"]  # which has the output cap in it
    found = [_WHAT.get(name, name) for name in differ]
    return [*found, "contexts"] if ours.contexts != theirs.contexts and "context" not in found else found


def differing(names: Sequence[str]) -> str:
    """What differs, as a sentence."""
    return f"{', '.join(names)} {'differs' if len(names) == 1 and not names[0].endswith('s') else 'differ'}"

"""From a server's description of a model to the facts that a request can be checked against."""

from typing import Any

from evalkit.providers.stream import count_or_none
from evalkit.records import ModelFacts

_LIFECYCLES = ("active", "deprecated", "retired")


def read_facts(info: Any) -> ModelFacts | None:
    """The facts in a `GET /v1/models/{id}` answer; None for one of another shape."""
    if not isinstance(info, dict) or info.get("type") != "model":
        return None
    told = _object(info, "capabilities")
    return ModelFacts(
        max_input_tokens=count_or_none(info.get("max_input_tokens")),
        max_output_tokens=count_or_none(info.get("max_tokens")),
        thinking=_supported_names(_object(told, "thinking"), _object(_object(told, "thinking"), "types")),
        efforts=_supported_names(_object(told, "effort"), _object(told, "effort")),
        image_input=_supported(_object(told, "image_input")),
        pdf_input=_supported(_object(told, "pdf_input")),
        structured_outputs=_supported(_object(told, "structured_outputs")),
        lifecycle=info["lifecycle"] if info.get("lifecycle") in _LIFECYCLES else None,
    )


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    child = parent.get(name)
    return child if isinstance(child, dict) else {}


def _supported(capability: dict[str, Any]) -> bool | None:
    told = capability.get("supported")
    return told if isinstance(told, bool) else None


def _supported_names(capability: dict[str, Any], by_name: dict[str, Any]) -> frozenset[str] | None:
    """The names that are supported; none if the whole is not, None if nothing is said of either."""
    if _supported(capability) is False:
        return frozenset()
    told = {name: _supported(value) for name, value in by_name.items() if isinstance(value, dict)}
    return frozenset(name for name, yes in told.items() if yes) if told else None

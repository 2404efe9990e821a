"""Claude model ids as code spells them, for any provider, and the one id that each of them means."""

import re
import string
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from evalkit.frozen import dataclass
from evalkit.models import known

Kind = Literal["pin", "alias", "hidden", "unknown"]
"""A pin never changes, an alias may change under its user, a hidden one does not say which model it is, and an unknown
one only looks like an id: of a tier, or in a spelling, that this version has never heard of."""
Provider = Literal["anthropic", "bedrock", "vertex", "gateway"]

_TIERS = "opus|sonnet|haiku|instant|fable|mythos"
_SUFFIXES = (
    "thinking|fast|batch|beta|preview|free|online|extended|none|minimal|low|medium|high|xhigh|max|eu|us|apac|au|jp"
)
"""What gateways put behind an id: an effort, a speed, a region."""
_ID = re.compile(
    rf"""
    (?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-F]{{2}})|(?<=\\u00[0-9A-F]{{2}})|(?<=\\[nrt])|(?<=databricks-)|(?<=anthropic--))claude-
    (?:
        (?P<preview>mythos-preview)
      | (?:(?P<old>\d(?:[.-]\d)?)-)?(?P<tier>{_TIERS})
        (?:-v?(?P<new>\d{{1,2}}(?:[.-]\d{{1,2}}(?!\d))?))?
      | (?P<early>v[12](?::\d)?(?![.\d])|v?[12](?:[.]\d)?)
    )
    (?:[-@](?P<date>\d{{8}}|latest|default))?
    (?:-v\d+(?::\d+)?)?
    (?:[-_](?:{_SUFFIXES}|\d+[km]))*
    (?![A-Za-z0-9_-])
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_CONSTANT = re.compile(
    rf"""
    \b(?:(?P<sdk>
        (?:(?:Bedrock)?FoundationModel(?:Identifier)?|Model)(?:\.|::)(?:ANTHROPIC_)?
      | \w+\.Model(?:ANTHROPIC_)?
      | (?-i:AnthropicChatModelName|AnthropicApi\.ChatModel)\.
      | (?-i:AnthropicModels\.(?=Claude\d))
    ))?
    claude_?(?:(?P<preview>mythos_?preview)|(?:(?P<old>\d(?:_?\d)?)_?)?(?P<tier>{_TIERS})_?(?P<new>\d(?:_\d{{1,2}}(?!\d))?)?)
    (?:_?(?P<date>\d{{8}}|latest))?(?:_V\d(?:_\d)?)?\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""How SDKs and AWS CDK name their constants; a team's own names mean what it set them to."""
_IMPORTED = re.compile(
    r"""
    ^[ \t]*import[ \t]+(?:static[ \t]+)?[\w.]{0,200}
    (?:\bAnthropicChatModelName\.[*C]|\bcom\.anthropic\.models\.(?:\w+\.){0,4}Model\.[*C]|\bAnthropicApi\.(?:ChatModel\b|\*))
    """,
    re.VERBOSE | re.MULTILINE,
)
"""What lets a file of Java or Kotlin leave out the class of such a constant."""
_PRODUCTS = (
    "code|desktop|agent|agents|cli|sdk|api|app|web|action|actions|plugin|plugins|mcp|proxy|bot|engineer|skills|docs"
)
_SEEMING = re.compile(
    rf"""
    (?<![A-Za-z0-9_])claude-(?!(?:{_PRODUCTS})\b)
    (?:[a-z]{{3,12}}-v?\d{{1,2}}(?:[.-]\d{{1,2}})?|\d{{1,2}}(?:[.-]\d{{1,2}})?-[a-z]{{3,12}})(?![A-Za-z0-9])
    (?:[-@_.:][A-Za-z0-9]+)*
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_OF_A_NAME = string.ascii_letters + string.digits + "-_"
_FILE = re.compile(r"[.](?!\d)[a-z0-9]{1,5}\Z", re.IGNORECASE)
_FREE_DASH = re.compile(
    r"(\$\{[^\s${}-]{0,200}|(?<![A-Za-z0-9_-]))-(?=[A-Za-z0-9_.:/%-]{0,60}claude-)", re.IGNORECASE | re.ASCII
)
"""A dash that joins an id to no name: it has none before it, or begins what a variable is by default (`${MODEL-...}`,
`${MODEL:-...}`)."""
_VARIABLE = r"\$?\{\{?[^{}\"']{1,200}\}\}?|\$\w+"
_PROFILE = re.compile(
    rf"arn:(?:aws[a-z-]*|{_VARIABLE}):bedrock:(?:[a-z0-9-]*|{_VARIABLE}):(?:\d{{12}}|{_VARIABLE}):"
    r"(?:(?:application-inference-profile|provisioned-model|custom-model-deployment|prompt-router)/[\w.-]+"
    r"|default-prompt-router/anthropic\.[\w.:-]*\w|custom-model/[\w.:-]{0,200}claude[\w.:-]{0,200}/\w+)"
)
"""What a platform calls by a name of its own; what else was tuned or imported there is no Claude model."""
_VARIABLES = re.compile(_VARIABLE)
SOUGHT = "[Cc][^ -~]?[Ll][^ -~]?[Aa][^ -~]?[Uu][^ -~]?[Dd][^ -~]?[Ee]|:bedrock:"
"""Every line with an id matches this, in UTF-16 too, as a regular expression of grep and of Python."""
_BEFORE = re.compile(r"[A-Za-z0-9_.:/%-]{0,200}(?:[./:]|%2F|%3A|databricks-|anthropic--)\Z", re.IGNORECASE | re.ASCII)
"""What stands before an id that a provider or a gateway puts a name, a region or a path to."""
_FIRST_DATELESS_PIN = 4, 6
"""From this generation on, an id without a date never changes; before, it is an alias for the newest snapshot."""


@dataclass(frozen=True)
class Spelling:
    """One id in a text. `written`: as it stands there; `model`: Anthropic's own id for the same model.

    `column` counts characters from 1. A hidden model goes by what is written, with `*` for each
    variable in it.
    """

    written: str
    model: str
    kind: Kind
    provider: Provider
    column: int


def tier_of(model_id: str) -> str | None:
    """The tier that an id names; None for one that names none."""
    return next((tier for tier in ("opus", "sonnet", "haiku") if tier in model_id), None)


def meant_by(name: str) -> str:
    """The model that a name means, however a provider spells it; the name itself where it is no id."""
    return next((one.model for one in spellings(name)), name)


def may_be(model_id: str, other: str) -> bool:
    """Whether two are one model: the same, or the other what becomes of the first when its variables have values."""
    if not is_open(model_id):
        return model_id == other
    return re.fullmatch("[a-z0-9*-]*".join(map(re.escape, model_id.split("*"))), other) is not None


def is_open(model_id: str) -> bool:
    """Whether a hidden model's name has variables in it, so that no run can go by it."""
    return "*" in model_id


def imports_constants(text: str) -> bool:
    """Whether a file may name the constants of an SDK without their class."""
    return _IMPORTED.search(text) is not None


def spellings(line: str, *, imported: bool = False) -> Iterator[Spelling]:
    """All ids in a line, from left to right; `imported`: the file names constants of an SDK without their class."""
    found = []
    if ":bedrock:" in line:
        found += [_hidden(one) for one in _PROFILE.finditer(line)]
        line = _PROFILE.sub(lambda one: " " * len(one[0]), line)  # a tuned model is not the one that it is named after
    if "claude" in line.lower():
        freed = _FREE_DASH.sub(r"\1=", line)
        found += [_plain(one, freed) for one in _ID.finditer(freed)]
        found += [_constant(one) for one in _CONSTANT.finditer(line) if _is_of_sdk(one, imported=imported)]
        found += list(_seeming(freed, sorted(one.column - 1 + len(one.written) for one in found)))
    yield from sorted(found, key=lambda one: one.column)


def between(text: str, ids: Iterable[Spelling]) -> list[str]:
    """What stands before, between and after the ids of a line."""
    parts, end = [], 0
    for one in ids:
        parts.append(text[end : one.column - 1])
        end = one.column - 1 + len(one.written)
    return [*parts, text[end:]]


def _plain(found: re.Match[str], line: str) -> Spelling:
    before = _BEFORE.search(line, max(0, found.start() - 201), found.start())
    prefix = before[0] if before else ""
    model, kind = _meant(found.groupdict())
    return Spelling(prefix + found[0], model, kind, _provider(prefix, found[0]), found.start() - len(prefix) + 1)


def _hidden(found: re.Match[str]) -> Spelling:
    return Spelling(found[0], _VARIABLES.sub("*", found[0]), "hidden", "bedrock", found.start() + 1)


def _seeming(line: str, known_ends: Sequence[int]) -> Iterator[Spelling]:
    """What looks like an id and is neither known nor the name of a file; `known_ends`: where known ones end, sorted."""
    for one in _SEEMING.finditer(line):
        is_known = bisect_right(known_ends, one.start()) < bisect_right(known_ends, one.end())
        if not is_known and not _FILE.search(one[0]):
            prefix = line[max(0, one.start() - 60) : one.start()]
            written = prefix[len(prefix.rstrip(_OF_A_NAME)) :] + one[0]
            yield Spelling(written, written.lower(), "unknown", "anthropic", one.end() - len(written) + 1)


def _is_of_sdk(found: re.Match[str], *, imported: bool) -> bool:
    if found["sdk"] or (found["date"] or "").isdigit():
        return True
    return imported and found[0].startswith("CLAUDE_") and bool(found["old"] or found["new"])


def _constant(found: re.Match[str]) -> Spelling:
    parts = {name: part and part.lower().replace("_", "-") for name, part in found.groupdict().items()}
    if parts["old"] and parts["old"].isdigit():
        parts["old"] = "-".join(parts["old"])  # .NET's `Claude45Sonnet`
    provider: Provider = "bedrock" if "ANTHROPIC_" in found[0] else "anthropic"
    return Spelling(found[0], *_meant(parts), provider, found.start() + 1)


def _meant(parts: Mapping[str, str | None]) -> tuple[str, Kind]:
    if parts.get("preview"):
        return "claude-mythos-preview", "pin"  # a model of its own, where no gateway put the last word
    named = [parts.get(name) for name in ("old", "tier", "new", "early", "date")]
    old, tier, new, early, date = (part.lower() if part else None for part in named)
    if old and old[0] >= "4":  # gateways put the generation first for all models
        old, new = None, old
    elif old:
        new = None  # of these, only the revision on a platform stands after the tier
    names = [_numbered(early)] if early else [part.replace(".", "-") for part in (old, tier, new) if part]
    stem = "-".join(("claude", *names))
    if date and date.isdigit():
        return f"{stem}-{date}", "pin"
    facts = known(stem)
    if date or (facts is not None and not facts.pinned):
        return stem, "alias"
    if facts is not None or early or (tier == "instant" and new):
        return stem, "pin"
    return stem, "pin" if new and _generation(new) >= _FIRST_DATELESS_PIN else "alias"


def _numbered(early: str) -> str:
    """The number of a model before Claude 3: Bedrock calls 2.0 `v2`, and 2.1 `v2:1`."""
    number = early.removeprefix("v").replace(":", ".")
    return "2.0" if early == "v2" else number


def _generation(version: str) -> tuple[int, int]:
    major, _, minor = version.replace(".", "-").partition("-")
    return int(major), int(minor or 0)


def _provider(prefix: str, name: str) -> Provider:
    if prefix.endswith("anthropic."):
        return "bedrock"
    if "@" in name or "publishers/" in prefix.replace("%2F", "/") or prefix.startswith("vertex"):
        return "vertex"
    return "gateway" if prefix.rstrip("/:.") else "anthropic"

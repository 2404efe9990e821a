"""What is known about models: complete, coherent, priced, and silent about ids it has never heard of."""

from datetime import UTC, datetime

import pytest

from evalkit.config import Config
from evalkit.models import (
    DEFAULT_JUDGE,
    KNOWN,
    LINE_UP,
    Model,
    alias_warning,
    display_name,
    few,
    known,
    newer_in_tier,
    same_model,
)
from evalkit.panel import Panel
from evalkit.pricing import price, rates
from evalkit.records import Usage
from evalkit.strict import read_strict

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_line_up_is_one_pinned_active_model_a_tier() -> None:
    models = [known(id) for id in LINE_UP]
    assert [model.tier for model in models if model] == ["opus", "sonnet", "haiku"]
    assert all(model and model.pinned and model.lifecycle == "active" for model in models)


def test_judge_is_known_and_outside_the_line_up() -> None:
    judge = known(DEFAULT_JUDGE)
    assert judge is not None
    assert judge.pinned
    assert DEFAULT_JUDGE not in LINE_UP


def test_ids_are_unique_and_lower_case() -> None:
    ids = [model.id for model in KNOWN]
    assert len(set(ids)) == len(ids)
    assert all(id == id.lower() and id.startswith("claude-") for id in ids)


@pytest.mark.parametrize("model", KNOWN, ids=lambda model: model.id)
def test_what_is_known_is_coherent(model: Model) -> None:
    major, minor = model.generation
    version = f"{major}-{minor}" if minor else str(major)
    assert model.id.startswith(f"claude-{model.tier}-{version}")
    assert 0 < model.max_output_tokens < model.context_tokens
    assert (model.retires is None) == (model.lifecycle == "active")
    assert rates(model.id, NOW) is not None


@pytest.mark.parametrize("model", KNOWN, ids=lambda model: model.id)
def test_a_price_cliff_is_the_one_of_the_price_data(model: Model) -> None:
    def usd(tokens: int) -> float:
        found = price(model.id, Usage(input_tokens=tokens, output_tokens=tokens // 100), NOW).usd
        assert found is not None
        return found

    sizes = [*range(10_000, model.context_tokens, 10_000), model.context_tokens]
    steps = [(low, usd(low + 1) / usd(low)) for low in sizes[:-1] if usd(low + 1) > 1.01 * usd(low)]
    in_all = usd(sizes[-1]) / usd(sizes[0]) / (sizes[-1] / sizes[0])
    assert [(size, pytest.approx(factor, rel=1e-3)) for size, factor in steps] == [
        cliff for cliff in (model.price_cliff,) if cliff
    ]
    assert in_all == pytest.approx(model.price_cliff[1] if model.price_cliff else 1.0), "no other step in between"


@pytest.mark.parametrize("alias", [model.id for model in KNOWN if not model.pinned])
def test_an_alias_stands_for_a_pinned_id_of_the_same_model(alias: str) -> None:
    dated = [m for m in KNOWN if m.pinned and m.id.startswith(f"{alias}-") and m.id[len(alias) + 1 :].isdigit()]
    assert len(dated) == 1


@pytest.mark.parametrize("pin", [*(model.id for model in KNOWN if model.pinned), "gpt-5", "latest-greatest", ""])
def test_a_pin_or_a_foreign_id_is_not_warned_of(pin: str) -> None:
    assert alias_warning(pin) is None


@pytest.mark.parametrize(
    ("alias", "remedy"),
    [
        ("claude-haiku-4-5", "use its pin 'claude-haiku-4-5-20251001'"),
        ("claude-haiku-4-5-latest", "use its pin 'claude-haiku-4-5-20251001'"),
        ("claude-sonnet-4-5", "use its pin 'claude-sonnet-4-5-20250929'"),
        ("claude-opus-4-6-latest", "use its pin 'claude-opus-4-6'"),
        ("claude-3-5-haiku-latest", "name a pinned id, see `evalkit models`"),
    ],
)
def test_an_alias_is_warned_of_with_its_pin(alias: str, remedy: str) -> None:
    assert alias_warning(alias) == f"model {alias!r} is an alias and may change between runs; {remedy}"


@pytest.mark.parametrize("id", ["", "claude", "claude-opus-4-60", "CLAUDE-OPUS-4-6", "gpt-5", "claude-opus-4-6 "])
def test_unknown_id_is_unknown_everywhere(id: str) -> None:
    assert known(id) is None
    assert newer_in_tier(id) == ()
    assert display_name(id) == id


@pytest.mark.parametrize(
    ("number", "told"), [(1, "m0"), (5, "m0, m1, m2, m3, m4"), (20_000, "m0, m1, m2, m3 and 19,996 more")]
)
def test_of_many_ids_the_first_are_named(number: int, told: str) -> None:
    """A gateway may answer under one for each request, and a page must not grow with them."""
    assert few([f"m{n}" for n in range(number)]) == told


@pytest.mark.parametrize(
    ("bedrock_id", "id"),
    [
        ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001"),
        ("eu.anthropic.claude-haiku-4-5", "claude-haiku-4-5"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1-20250805"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", None),
        ("us.anthropic.claude-opus-4-60-v1", None),
        ("us.meta.llama4-v1:0", None),
        ("claude-sonnet-4-6", None),
    ],
)
def test_a_model_on_bedrock_is_known_as_itself_and_shown_by_its_id(bedrock_id: str, id: str | None) -> None:
    model = known(f"bedrock:{bedrock_id}")
    assert (model and model.id) == id
    assert newer_in_tier(f"bedrock:{bedrock_id}") == newer_in_tier(id or "")
    assert display_name(f"bedrock:{bedrock_id}") == f"bedrock:{bedrock_id}"
    assert alias_warning(f"bedrock:{bedrock_id}") is None


@pytest.mark.parametrize(
    ("id", "newer"),
    [
        ("claude-haiku-4-5-20251001", ("claude-haiku-5-5",)),
        ("claude-haiku-4-5", ("claude-haiku-5-5",)),
        ("claude-opus-4-6", ("claude-opus-5-5", "claude-opus-5", "claude-opus-4-8", "claude-opus-4-7")),
        (
            "claude-opus-4-1",
            (
                "claude-opus-5-5",
                "claude-opus-5",
                "claude-opus-4-8",
                "claude-opus-4-7",
                "claude-opus-4-6",
            ),
        ),
        ("claude-opus-5-5", ()),
        ("claude-sonnet-5-5", ()),
        ("claude-sonnet-4-5", ("claude-sonnet-5-5", "claude-sonnet-5", "claude-sonnet-4-6")),
    ],
)
def test_newer_models_of_the_tier_newest_first(id: str, newer: tuple[str, ...]) -> None:
    assert newer_in_tier(id) == newer


@pytest.mark.parametrize(
    ("id", "name"),
    [("claude-haiku-4-5-20251001", "Haiku 4.5"), ("claude-opus-5", "Opus 5"), ("claude-sonnet-5-5", "Sonnet 5.5")],
)
def test_display_name(id: str, name: str) -> None:
    assert display_name(id) == name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [a, b, a]", "c:1: model 'a' stands twice; name it once"),
        ("models: []", "c:1: 'models' is []; it must not be empty"),
        ("models: a", "c:1: 'models' is 'a'; it must be a list"),
        ("seed: 1\nmodel: [a]", "c:2: unknown key 'model'; did you mean 'models'?"),
        ("concurrency: 0", "c:1: 'concurrency' is 0; it must be greater than or equal to 1"),
        ("concurrency: 4097", "c:1: 'concurrency' is 4097; it must be less than or equal to 4096"),
        ("epochs: '3'", "c:1: 'epochs' is '3'; it must be a whole number"),
        ("budget_usd: 0", "c:1: 'budget_usd' is 0; it must be greater than 0"),
        ("budget_usd: .inf", "c:1: '.inf' is not a finite number; correct the YAML"),
        ("judges: ['']", "c:1: 'judges.0' is ''; it must not be empty"),
        ("judges: []", "c:1: 'judges' is []; it must not be empty"),
        ("judges: [a, a]", "c:1: model 'a' stands twice; name it once"),
        ("seed: 1\njudge: a", "c:2: key 'judge' is now a list; write `judges: [a]`"),
        ("judge_context: all", "c:1: 'judge_context' is 'all'; use 'full', 'evidence' or 'reference'"),
    ],
)
def test_config_is_read_strictly(text: str, problem: str) -> None:
    found = read_strict(Config, text, "c")
    assert isinstance(found, list)
    assert list(map(str, found)) == [problem]


def test_empty_config_is_the_defaults() -> None:
    assert read_strict(Config, "", "c") == Config()
    assert (Config().models, Config().panel) == (LINE_UP, Panel((DEFAULT_JUDGE,)))


def test_config_takes_what_it_documents() -> None:
    found = read_strict(Config, "models: [a, b]\nbudget_usd: 5\nrubric: r.yaml\nbase_url: http://127.0.0.1:1\n", "c")
    assert found == Config(models=("a", "b"), budget_usd=5.0, rubric="r.yaml", base_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("claude-sonnet-4-6", "claude-sonnet-4-6", True),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001", True),
        ("claude-haiku-4-5-latest", "claude-haiku-4-5-20251001", True),
        ("bedrock:global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5", True),
        ("bedrock:us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6", True),
        ("bedrock:anthropic.claude-sonnet-5-5", "Claude-Sonnet-5.5", True),
        ("claude-opus-4-6", "claude-opus-4-60", False),
        ("claude-opus-4-6", "claude-opus-4", False),
        ("claude-opus-4-6", "claude-sonnet-4-6", False),
        ("my-judge", "my-model", False),
        ("support-v1", "support-v2", False),
        ("my-model", "my-model", True),
    ],
)
def test_ids_of_one_model_are_known_as_such(one: str, other: str, same: bool) -> None:
    assert same_model(one, other) is same_model(other, one) is same

"""The sandbox in Bedrock's place, driven by the official SDK's own Bedrock clients over loopback."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from evalkit.sandbox.server import SandboxSettings, running

MESSAGES: Any = [{"role": "user", "content": "Say something."}]
OLD = {"anthropic_version": "bedrock-2023-05-31"}
CREDENTIALS: list[Any] = [
    pytest.param({"api_key": "bedrock-api-key-test"}, id="bearer"),
    pytest.param({"aws_access_key": "AKIAIOSFODNN7EXAMPLE", "aws_secret_key": "wJalrXUtnFEMI/KEY"}, id="SigV4"),
]
PROFILE, PLAIN = "us.anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-5-5"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(SandboxSettings(speed=0)) as address:
        yield address


def invoke(url: str, **given: Any) -> anthropic.AnthropicBedrock:
    credentials = given or {"api_key": "key"}
    return anthropic.AnthropicBedrock(
        base_url=url, aws_region="us-east-1", max_retries=0, _strict_response_validation=True, **credentials
    )


def mantle(url: str, **given: Any) -> anthropic.AnthropicBedrockMantle:
    return anthropic.AnthropicBedrockMantle(
        base_url=f"{url}/anthropic", aws_region="us-east-1", max_retries=0, _strict_response_validation=True, **given
    )


def ask(client: Any, model: str = PROFILE, fault: str | None = None, **more: Any) -> Any:
    headers = {} if fault is None else {"evalkit-fault": fault}
    extra = {} if model == PLAIN else {"extra_body": OLD}
    return client.messages.create(
        model=model, max_tokens=4096, messages=MESSAGES, extra_headers=headers, **extra, **more
    )


@pytest.mark.parametrize("given", CREDENTIALS)
@pytest.mark.parametrize(("build", "model"), [(invoke, PROFILE), (mantle, PLAIN)])
def test_both_clients_are_answered_whole_and_in_a_stream(url: str, given: Any, build: Any, model: str) -> None:
    with build(url, **given) as client:
        whole = ask(client, model)
        streamed = list(ask(client, model, stream=True))
    assert [block.type for block in whole.content][-1] == "text"
    kinds = [event.type for event in streamed]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert "content_block_delta" in kinds
    assert {whole.model, streamed[0].message.model} == {"claude-opus-4-6" if model == PROFILE else "claude-opus-5-5"}


@pytest.mark.parametrize("status", [400, 403, 404, 408, 429, 500, 503])
def test_errors_have_amazons_form_and_no_id_of_the_vendors(url: str, status: int) -> None:
    with invoke(url) as client, pytest.raises(anthropic.APIStatusError) as caught:
        ask(client, fault=f"status={status}")
    error = caught.value
    assert (error.status_code, error.type, error.request_id) == (status, None, None)
    assert set(error.body) == {"message"}
    assert error.response.headers["x-amzn-errortype"].split(":")[0].endswith("Exception")
    assert len(error.response.headers["x-amzn-requestid"]) == 36
    assert not any(name.startswith("anthropic-") for name in error.response.headers)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("error_after=1", "serviceUnavailableException"),
        ("error_after=1;status=429", "throttlingException"),
        ("error_after=1;status=500", "internalServerException"),
        ("error_after=1;error_type=modelStreamErrorException", "modelStreamErrorException"),
    ],
)
def test_a_stream_can_break_off_with_an_exception(url: str, fault: str, kind: str) -> None:
    with invoke(url) as client:
        stream = ask(client, fault=fault, stream=True)
        assert next(iter(stream)).type == "message_start"
        with pytest.raises(anthropic.APIStatusError) as caught:
            list(stream)
    assert (caught.value.status_code, caught.value.type) == (200, kind)


@pytest.mark.parametrize(
    ("model", "version", "accepted"),
    [
        ("us.anthropic.claude-opus-4-6-v1", "2026-10-21", False),
        ("us.anthropic.claude-opus-4-6-v1", "bedrock-2023-05-31", True),
        ("us.anthropic.claude-opus-5-5", "2026-10-21", True),
        ("us.anthropic.claude-opus-5-5", "bedrock-2023-05-31", True),
        ("us.anthropic.claude-opus-5-5", "2023-06-01", False),
    ],
)
def test_old_models_know_the_old_version_only(url: str, model: str, version: str, accepted: bool) -> None:
    with invoke(url) as client:
        body = {"anthropic_version": version}
        if accepted:
            client.messages.create(model=model, max_tokens=4096, messages=MESSAGES, extra_body=body)
            return
        with pytest.raises(anthropic.BadRequestError, match="anthropic_version"):
            client.messages.create(model=model, max_tokens=4096, messages=MESSAGES, extra_body=body)


@pytest.mark.parametrize("model", ["us.anthropic.claude-opus-9", "eu.meta.llama", "anthropic.", "arn:aws:bedrock:x"])
def test_an_unknown_model_is_not_found(url: str, model: str) -> None:
    with invoke(url) as client, pytest.raises(anthropic.NotFoundError):
        ask(client, model)


@pytest.mark.parametrize("authorization", ["", "Bearer invalid", "Basic abc", "AWS4-HMAC-SHA256 Credential=me"])
@pytest.mark.parametrize("path", ["/model/anthropic.claude-opus-4-6-v1/invoke", "/anthropic/v1/messages"])
def test_a_request_without_credentials_is_refused(url: str, authorization: str, path: str) -> None:
    import httpx2

    headers = {"authorization": authorization, "anthropic-version": "2023-06-01"}
    answer = httpx2.post(url + path, json={}, headers=headers, trust_env=False)
    assert answer.status_code in (401, 403)


def test_the_vendors_own_endpoint_does_not_know_amazons_ids(url: str) -> None:
    client = anthropic.Anthropic(base_url=url, api_key="key", max_retries=0)
    with client, pytest.raises(anthropic.NotFoundError):
        ask(client, PLAIN)

"""Keys, proxies, certificates and profiles that cannot be used are one line that names the variable."""

import json
from pathlib import Path
from typing import Any

import pytest
from servers import recorded
from test_run import write_tiny

from evalkit.cli import main
from evalkit.errors import ExitCode, UsageError
from evalkit.providers import transport
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.providers.bedrock import BedrockProvider
from evalkit.providers.environment import redacted

HAIKU = "claude-haiku-4-5-20251001"
KEY = "sk-ant-SECRET123"
ELSEWHERE = "https://api.example.invalid"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
SOCKS = "socks5://127.0.0.1:1"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine that runs the tests."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(params=["aiohttp", "the SDK's own"])
def either_client(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With aiohttp, and where it is not installed."""

    def absent(*_: Any) -> None:
        raise ImportError("aiohttp")

    if request.param != "aiohttp":
        monkeypatch.setattr(transport, "_AiohttpTransport", absent)


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"])
@pytest.mark.parametrize(
    "value", [f"{KEY} ", f" {KEY}", f"{KEY}\n", "sk-ant-SEC\tRET123", f"{KEY}é", f"{KEY}\x7f", " "]
)
def test_a_key_that_no_header_can_carry_is_refused_unseen(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with pytest.raises(UsageError, match=name) as raised:
        BedrockProvider(["bedrock:anthropic.claude-opus-5-5"]) if name.startswith("AWS") else AnthropicProvider()
    assert "SECRET" not in str(raised.value)
    assert "SEC" not in str(raised.value)


def test_a_key_is_cut_out_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "on")
    assert (
        redacted(f"Illegal header value b'Bearer {KEY}' on") == "Illegal header value b'Bearer [ANTHROPIC_API_KEY]' on"
    )


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ANTHROPIC_PROFILE": "nonex"}, "ANTHROPIC_PROFILE"),
        ({"ANTHROPIC_PROFILE": "../nonex"}, "ANTHROPIC_PROFILE"),
        ({"ANTHROPIC_CONFIG_DIR": "/dev/null"}, "ANTHROPIC_CONFIG_DIR"),
        ({"ANTHROPIC_API_KEY": KEY, "SSL_CERT_FILE": "/nonexistent"}, "SSL_CERT_FILE '/nonexistent'"),
        ({"ANTHROPIC_API_KEY": KEY, "SSL_CERT_FILE": __file__}, "SSL_CERT_FILE"),
        (
            {"ANTHROPIC_API_KEY": KEY, "SSL_CERT_FILE": "/nonexistent", "ALL_PROXY": "http://127.0.0.1:1"},
            "SSL_CERT_FILE",
        ),
        ({"ANTHROPIC_API_KEY": KEY, "HTTPS_PROXY": "://bad"}, "HTTPS_PROXY"),
        ({"ANTHROPIC_API_KEY": KEY, "https_proxy": "http://[::1"}, "https_proxy"),
        ({"ANTHROPIC_API_KEY": KEY, "HTTPS_PROXY": "ftp://u:pw@127.0.0.1:1"}, "HTTPS_PROXY"),
        ({"ANTHROPIC_API_KEY": KEY, "HTTPS_PROXY": SOCKS}, "HTTPS_PROXY"),
        ({"ANTHROPIC_API_KEY": KEY, "ALL_PROXY": SOCKS}, "ALL_PROXY"),
        ({"ANTHROPIC_API_KEY": KEY, "ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "[::,*:x,http://["}, "NO_PROXY"),
    ],
)
@pytest.mark.usefixtures("either_client")
def test_what_cannot_be_used_is_named(variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as raised:
        AnthropicProvider()
    assert said in str(raised.value)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n in PROXIES for v in (SOCKS, "://bad", "http://127.0.0.1:1")])
@pytest.mark.usefixtures("either_client")
def test_a_server_on_this_machine_is_reached_whatever_the_proxies_say(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with recorded() as server:
        assert main(["run", str(write_tiny(tmp_path, 1)), "-q", "-m", HAIKU, "--base-url", server.url]) == 0


@pytest.mark.usefixtures("either_client")
def test_a_profile_is_not_asked_for_a_server_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_PROFILE", "nonex")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    with recorded() as server:
        assert main(["run", str(write_tiny(tmp_path, 1)), "-q", "-m", HAIKU, "--base-url", server.url]) == 0


def test_an_identity_token_that_is_missing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("ANTHROPIC_IDENTITY_TOKEN_FILE", "/nonexistent")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", ELSEWHERE)
    assert main(["run", str(write_tiny(tmp_path, 1)), "-q", "-y"]) == ExitCode.PROVIDER
    error, ending = capsys.readouterr().err.splitlines()[-2:]
    assert error.startswith("error: no credentials (Identity token file not found at /nonexistent)")
    assert ending == "exit 5: provider"


def test_a_key_that_a_server_repeats_is_neither_printed_nor_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from servers import whole
    from test_rubbish import serving

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    echo = json.dumps({"type": "error", "error": {"type": "permission_error", "message": f"{KEY} may not"}}).encode()
    with serving(whole(403, echo, content_type="application/json")) as server:
        code = main(["run", str(write_tiny(tmp_path, 2)), "-q", "-y", "-m", HAIKU, "--base-url", server.url])
    told = capsys.readouterr()
    assert code == ExitCode.PROVIDER
    assert "[ANTHROPIC_API_KEY] may not" in told.err
    assert KEY not in told.err + told.out
    assert not [path for path in tmp_path.rglob("*.db*") if KEY.encode() in path.read_bytes()]

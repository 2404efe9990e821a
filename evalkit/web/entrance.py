"""Who may grade as whom: a link that works once, the cookie it is exchanged for, and a token against forged writes."""

import base64
import hmac
import secrets
import time
from collections.abc import Callable, Iterable

STAY_S = 14 * 86_400
"""How long a cookie lets its grader in."""
MOST_WRONG = 20
"""Wrong links that are looked at within `WINDOW_S`; beyond them nobody is let in for a while."""
WINDOW_S = 60.0


class Entrance:
    """The door of one round. Cookies are signed with a key of the round, so they outlive a restart of the server."""

    def __init__(self, key: bytes, graders: Iterable[str], port: int, clock: Callable[[], float] = time.time) -> None:
        self.graders, self._key, self._clock = tuple(graders), key, clock
        self.cookie_name = f"evalkit_{port}"
        self._links: dict[str, str] = {}
        self._wrong: list[float] = []

    def link(self, grader: str) -> str:
        """A new token for a grader's link: 128 bits, good once. One that they have not used yet is void from now on."""
        token = secrets.token_urlsafe(16)
        self._links = {known: other for known, other in self._links.items() if other != grader} | {token: grader}
        return token

    def overrun(self) -> bool:
        """Whether too many wrong tokens have been tried just now."""
        self._wrong = [at for at in self._wrong if self._clock() - at < WINDOW_S]
        return len(self._wrong) >= MOST_WRONG

    def exchange(self, token: str) -> str | None:
        """The cookie for a token, which is used up by it; None for one that is not known (any more)."""
        found = None
        for known in self._links:
            if hmac.compare_digest(known.encode(), token.encode()):
                found = known
        if found is None:
            self._wrong.append(self._clock())
            return None
        name = base64.urlsafe_b64encode(self._links.pop(found).encode()).decode().rstrip("=")
        return self._signed(f"{name}.{int(self._clock())}.{secrets.token_hex(4)}")

    def who(self, cookie: str | None) -> str | None:
        """The grader a cookie stands for; None if it is forged, of another round, or too old."""
        content, _, _ = (cookie or "").rpartition(".")
        if not content or not hmac.compare_digest(self._signed(content).encode(), str(cookie).encode()):
            return None
        name, since, _ = content.split(".")
        grader = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        return grader if self._clock() - int(since) < STAY_S and grader in self.graders else None

    def csrf(self, grader: str) -> str:
        """What a page must send along with each request: only a page that was served to this grader knows it."""
        return self._mac("csrf", grader)

    def _signed(self, content: str) -> str:
        return f"{content}.{self._mac('cookie', content)}"

    def _mac(self, purpose: str, content: str) -> str:
        return hmac.digest(self._key, f"{purpose}:{content}".encode(), "sha256").hex()[:40]

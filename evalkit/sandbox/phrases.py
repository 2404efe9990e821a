"""Stock phrases of replies, by manner and tier; without numbers or negations, so none changes an answer."""

from __future__ import annotations

from evalkit.sandbox.catalog import Tier

MEMO_MARK = "clause"
"""A word that shows a task to be about a legal text and to want a memo; any other task gets a letter."""

GREETINGS: dict[str, tuple[str, ...]] = {
    "opus": (
        "Hello, and thank you for writing to us with the details.",
        "Thank you for getting in touch, and for explaining the situation so clearly.",
        "Good day, and thank you for your message. I have gone through what you describe with care.",
        "Thank you for reaching out. I understand why you would like a clear answer here.",
        "Hello, thank you for your patience while we looked into this.",
    ),
    "sonnet": (
        "Hello, thanks for getting in touch.",
        "Thank you for your message.",
        "Hi there, thanks for writing in.",
        "Thanks for contacting us about this.",
        "Hello, I have looked into this for you.",
    ),
    "haiku": ("Hello,", "Hi,", "Thanks for your message.", "Hello, thanks for writing.", ""),
}
LETTER_ENDINGS: dict[str, tuple[str, ...]] = {
    "opus": (
        "If anything is unclear, simply reply and I will gladly help.\n\nKind regards,\nCustomer Care",
        "I hope this helps, and I am sorry for the trouble you had.\n\nWith best wishes,\nThe Support Team",
        "Please let me know whether this settles the matter.\n\nKind regards,\nThe Customer Care Team",
        "Should you have more to ask, just tell us.\n\nWarm regards,\nCustomer Support",
    ),
    "sonnet": (
        "Let me know if you have any other questions.\n\nBest regards,\nCustomer Care",
        "Just reply here if anything is unclear.\n\nKind regards,\nThe Support Team",
        "I hope that helps. Do get back to us if you need anything else.\n\nBest wishes,\nCustomer Support",
        "Happy to help further if needed.\n\nKind regards,\nCustomer Care",
    ),
    "haiku": ("Hope that helps!", "Best regards,\nSupport", "Write again any time.", "Thanks,\nSupport", ""),
}  # fmt: skip
MEMO_OPENINGS: dict[str, tuple[str, ...]] = {
    "opus": (
        "I have read the text you sent closely, and this is how I understand it.",
        "The answer follows from the wording itself, taken in order.",
        "Here is the position first, and then the points it rests on.",
        "",
    ),
    "sonnet": ("In short:", "Here is what the text says.", "The position is as follows.", "", ""),
    "haiku": ("", "", "Short answer:", "Summary:"),
}
MEMO_ENDINGS: dict[str, tuple[str, ...]] = {
    "opus": (
        "I would put this in writing to everyone involved, so that the reasoning is on record.",
        "Before acting on it, compare the signed copy with the wording above.",
        "As a next step, let whoever is responsible confirm these points in writing.",
    ),
    "sonnet": (
        "I would confirm this against the signed copy before acting.",
        "Keep a note of this with the file.",
        "",
    ),
    "haiku": ("", "", "Check the signed copy to be safe."),
}  # fmt: skip
ELABORATIONS: tuple[str, ...] = (
    "I mention this first because everything else depends on it.",
    "This is worth keeping in mind as you decide what to do next.",
    "I checked this against the material at hand before writing to you.",
    "It is best to have this clear from the start.",
    "That is the part people ask about most often.",
    "This follows directly from the wording that applies in your situation.",
)
RAMBLING: tuple[str, ...] = (
    "Let me go through this step by step, since it deserves a careful look.",
    "To begin with, it helps to set out what was asked and what is known so far.",
    "Several considerations come together here, and each of them deserves attention.",
    "Looking at the same point from another side leads to much the same place.",
    "With that in mind, it is useful to return to the question and restate it.",
    "There is more to be said about the background before coming to the answer itself.",
    "Put differently, the matter has several layers, and each one builds on the one before it.",
    "Having said that, let me take up the thread again where I left it.",
)
"""What a reply consists of that rambles on until it reaches its limit."""

REFUSALS: tuple[str, ...] = (
    "",
    "I'm sorry, but I can't help with this request.",
    "I can't assist with that.",
)
REFUSAL_EXPLANATION = "The request was declined by a safety check of the simulated API."
THOUGHTS = "Find what is asked, collect the passages that bear on it, settle the main point, then word the answer."


def register(tier: Tier) -> str:
    """Which of the three manners of writing a tier has."""
    return tier if tier in ("sonnet", "haiku") else "opus"

"""Text as a reader takes it: without what nobody sees, look-alike letters as the Latin ones they pass for."""

import unicodedata
from functools import lru_cache

_FOREIGN = {
    "a": "аɑαᴀ", "b": "ʙ", "c": "сᴄϲ", "d": "ԁᴅ", "e": "еєεᴇ", "f": "ꜰ", "g": "ɡ", "h": "һнʜ", "i": "іıιɩɪ",
    "j": "ј", "k": "кκᴋ", "l": "ӏʟ", "m": "мᴍ", "n": "ηɴո", "o": "оοօᴏ", "p": "рρᴘ", "r": "ʀ", "s": "ѕꜱ", "t": "тτᴛ",
    "u": "υսᴜʋ", "v": "νѵᴠ", "w": "ԝᴡ", "x": "хχ", "y": "уүʏ", "z": "ᴢ",
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙӀ", "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν",
    "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "УΥҮ", "Z": "Ζ", "-": "‐‑‒−",
}  # fmt: skip
_LATIN = {foreign: latin for latin, letters in _FOREIGN.items() for foreign in letters}
"""Cyrillic, Greek, Armenian and small-capital letters that most fonts draw like a Latin one (from UTS 39)."""

_BLANK = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Characters that are drawn as nothing though Unicode calls them letters or symbols."""


@lru_cache(maxsize=4096)
def _taken_for(character: str) -> str:
    """What one character is read as: nothing, itself, a letter it looks like, or several letters."""
    if character in _LATIN:
        return _LATIN[character]
    if character in _BLANK or unicodedata.category(character) == "Cf":
        return ""
    parts = unicodedata.normalize("NFKD", character)
    return "".join(_LATIN.get(part, part) for part in parts if unicodedata.category(part) not in ("Mn", "Me"))


def as_read(text: str) -> tuple[str, list[int]]:
    """The text as a reader takes it, and for each of its characters the place in `text` that it came from."""
    if text.isascii():
        return text, list(range(len(text)))
    pairs = [(part, i) for i, character in enumerate(text) for part in _taken_for(character)]
    return "".join(part for part, _ in pairs), [i for _, i in pairs]

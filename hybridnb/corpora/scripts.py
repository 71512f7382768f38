"""Scripts: which a language is written in, and which put no spaces between words."""

from __future__ import annotations

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""The inside of a character class of the library `regex`."""


def script(code: str) -> str:
    """The script that a language is usually written in, or the one its code names (ISO 15924).

    Example:
        >>> [script(code) for code in ("de", "ru", "zh", "zh-Hant", "sr-Latn")]
        ['Latn', 'Cyrl', 'Hans', 'Hant', 'Latn']
    """
    from langcodes import Language

    return Language.get(code).maximize().script or "Zyyy"

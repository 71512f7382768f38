"""Scripts that put no spaces between words."""

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""The inside of a character class of the library `regex`."""

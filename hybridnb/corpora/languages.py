"""One form for language codes, so that a corpus and a benchmark mean the same language by the same string."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cache

_USUAL = re.compile("[a-z]{2,3}([-_][A-Z][a-z]{3})?([-_][A-Z]{2})?")


@cache
def canonical(code: str) -> str:
    """The form in which a language is known here: BCP 47, canonical, without what does not part languages.

    - Deprecated codes become those of today, and a language its macrolanguage where CLDR speaks of that: iw is he,
      tl is fil, nb is no, cmn is zh, arb is ar, eng is en. (nn, yue and others that CLDR keeps apart stay.)
    - A region, variant or extension is left out: en-US is en, pt-BR is pt.
    - A script is kept where it is not the one the language is usually written in, also where only the region
      says so: zh-CN and zh-Hans are zh, zh-TW is zh-Hant; sr-Latn stays, sr-Cyrl is sr.

    Args:
        code: Any case, parted by "-" or "_".

    Raises:
        ValueError: No language code.

    Example:
        >>> [canonical(code) for code in ("zh_CN", "zh-TW", "iw", "nb-NO", "fil", "en-us", "sr-Latn")]
        ['zh', 'zh-Hant', 'he', 'no', 'fil', 'en', 'sr-Latn']
    """
    from langcodes import Language, standardize_tag
    from langcodes.tag_parser import LanguageTagError

    try:
        tag = Language.get(standardize_tag(code, macro=True))
    except LanguageTagError:
        tag = Language.make()
    if tag.language is None or not 2 <= len(tag.language) <= 3:
        raise ValueError(f'{code!r} is no language code; write one like "en" or "zh-Hant"')
    # once more: with a region it leaves the macrolanguage alone
    language = standardize_tag(tag.language, macro=True)
    language = {"nb": "no"}.get(language, language)  # which CLDR keeps apart, and benchmarks do not
    usual = Language.make(language=language).maximize().script
    script = tag.script or Language.make(language=language, territory=tag.territory).maximize().script
    return language if script in (None, usual) else f"{language}-{script}"


def is_code(text: str) -> bool:
    """Whether a name is a language code in its usual spelling, and of a language that there is.

    Example:
        >>> [is_code(name) for name in ("sw", "zh-Hant", "pt-BR", "qrels", "dl", "EN")]
        [True, True, True, False, False, False]
    """
    from langcodes import tag_is_valid

    return _USUAL.fullmatch(text) is not None and tag_is_valid(text)


def predicted(texts: Sequence[str], among: Collection[str]) -> list[str | None]:
    """The language that each text is in, as lingua tells (`pip install 'hybridnb[languages]'`).

    Args:
        texts: Some.
        among: The codes that there may be.

    Returns:
        A code for each text, None where it cannot be told.

    Raises:
        ValueError: lingua is not installed, or knows fewer than two of the languages.

    Example:
        >>> predicted(["Wo ist der Bahnhof?", "Where is the station?", "123"], ["de", "en", "tr"])
        ['de', 'en', None]
    """
    try:
        from lingua import Language, LanguageDetectorBuilder
    except ImportError:
        raise ValueError(
            "lingua tells languages, and is not installed: pip install 'hybridnb[languages]'"
        ) from None
    code_of = {language: canonical(language.iso_code_639_1.name.lower()) for language in Language.all()}
    known = [language for language, code in code_of.items() if code in among]
    if len(known) < 2:
        raise ValueError(
            f"of {', '.join(sorted(among))} lingua knows {len(known)}: two or more are needed to tell them"
        )
    detector = LanguageDetectorBuilder.from_languages(*known).build()
    return [found and code_of[found] for found in detector.detect_languages_in_parallel_of(list(texts))]


def say_mapped(where: object, mapped: Mapping[str, str]) -> None:
    """Warn of codes that are read as others, where there are any.

    Args:
        where: What has them.
        mapped: Code -> the canonical one.
    """
    if others := [f"{code} as {into}" for code, into in sorted(mapped.items()) if code != into]:
        warnings.warn(f"{where}: languages read in one form: {', '.join(others)}", stacklevel=3)

"""The default corpus: question answering over Unicode CLDR facts, made by Babel at run time.

Facts and names are CLDR's (https://cldr.unicode.org), read from the data inside Babel; nothing is
downloaded. The sentences around the names are ours, one TOML file per language in `phrasings/`:

    [left_out]            kind -> codes whose name does not fit this language's sentences
    [direction]           left-to-right, right-to-left: how the language says it
    [running]             kind -> [[pattern, replacement], ...]: the form of a name inside a sentence, first
                          match wins; it fills the slot {the_KIND}, the dictionary form fills {KIND};
                          kind "text" is the whole sentence
    [RELATION]            queries, passages: the phrasings

An item is one fact in one question phrasing and one passage phrasing, drawn by hash per language.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from babel import Locale
from babel.core import get_global
from babel.lists import format_list

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.cldr.facts import REGION_OF_AREA, Fact, drawn, facts, zone_ids
from hybridnb.corpora.parallel import Item, ParallelCorpus

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
PHRASINGS = resources.files("hybridnb.corpora.cldr") / "phrasings"
NON_LATIN = frozenset({"ar", "el", "hi", "ru", "th", "zh"})

_TEST_FRACTION = 0.14
_VALIDATION_FRACTION = 0.08
# Training facts that must name what a held-out question asks about.
_LEAST_SHOWN = 2
_NO_TERRITORY = frozenset({"AQ", "EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
_NO_LANGUAGE = frozenset({"mul", "und", "zxx"})
_NO_SCRIPT = frozenset(
    {"Aran", "Brai", "Cyrs", "Hanb", "Hans", "Hant", "Hrkt", "Jamo", "Jpan", "Kore", "Latf", "Latg"}
    | {"Zinh", "Zmth", "Zsye", "Zsym", "Zxxx", "Zyyy", "Zzzz"}
)
_NO_CURRENCY = frozenset({"XXX", "XTS"})

_LATIN = re.compile("[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f]")

_Names = Mapping[str, Mapping[str, str]]
"""kind -> code -> name in one language"""


@dataclass(frozen=True)
class CldrCorpus:
    """The default corpus: parallel questions for training, validation and test.

    relations: item id -> relation, for every item of the three splits.
    """

    train: ParallelCorpus
    validation: ParallelCorpus
    benchmark: Benchmark
    relations: Mapping[str, str]


@cache
def load() -> CldrCorpus:
    """The CLDR questions in all eleven languages; the same Babel version gives the same corpus."""
    splits: dict[str, list[Item]] = {"train": [], "validation": [], "test": []}
    for item in _all_items():
        splits[_splits()[item.id]].append(item)
    return CldrCorpus(
        train=ParallelCorpus("cldr:train", splits["train"]),
        validation=ParallelCorpus("cldr:validation", splits["validation"]),
        benchmark=_benchmark(splits["test"]),
        relations={item.id: item.source for item in _all_items()},
    )


@cache
def _splits() -> dict[str, str]:
    """Item id -> train, validation or test, by hash of its fact.

    A held-out question about a name that training hardly shows could only be guessed; it goes to training.
    """
    place = {fact.id: drawn("split", fact.id) for fact in _all_facts()}
    held_out = _TEST_FRACTION + _VALIDATION_FRACTION
    shown = Counter(name for fact in _all_facts() if place[fact.id] >= held_out for name in fact.names)

    def split_of(fact: Fact) -> str:
        if place[fact.id] >= held_out or shown[fact.key] < _LEAST_SHOWN:
            return "train"
        return "test" if place[fact.id] < _TEST_FRACTION else "validation"

    return {fact.id: split_of(fact) for fact in _all_facts()}


def _benchmark(items: Sequence[Item]) -> Benchmark:
    ids = [item.id for item in items]
    return Benchmark(
        name="cldr",
        queries={code: Queries(ids, [item.queries[code] for item in items]) for code in LANGUAGES},
        candidates={code: [item.passages[code] for item in items] for code in LANGUAGES},
        relevance={query: dict.fromkeys(LANGUAGES, (row,)) for row, query in enumerate(ids)},
    )


# --- Names -----------------------------------------------------------------------------------------------


def _names(language: str, phrasings: Mapping[str, Any]) -> _Names:
    """CLDR's names in one language, without those its sentences leave out."""
    locale = Locale(language)
    regions = {code: locale.territories[code] for code in REGION_OF_AREA.values()}
    kinds: dict[str, Mapping[str, str]] = {
        "territory": {
            code: name
            for code, name in locale.territories.items()
            if re.fullmatch("[A-Z]{2}", code) and code not in _NO_TERRITORY
        },
        "language": {
            code: name
            for code, name in locale.languages.items()
            if re.fullmatch("[a-z]{2,3}", code) and code not in _NO_LANGUAGE
        },
        "script": {code: name for code, name in locale.scripts.items() if code not in _NO_SCRIPT},
        "currency": {code: name for code, name in locale.currencies.items() if code not in _NO_CURRENCY},
        "city": _city_names(locale),
        "zone": _zone_names(locale),
        "region": regions,
        "day": {str(day): name for day, name in locale.days["stand-alone"]["wide"].items()},
        "direction": phrasings["direction"],
    }
    left_out = phrasings.get("left_out", {})
    return {
        kind: {code: _clean(n) for code, n in sorted(named.items()) if code not in left_out.get(kind, ())}
        for kind, named in kinds.items()
    }


def _clean(name: str) -> str:
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", name)).strip()


def _city_names(locale: Locale) -> dict[str, str]:
    """Exemplar cities. A name that CLDR leaves to the identifier is taken from it (Latin script only)."""
    names = {}
    for zone, ids in zone_ids().items():
        named = [locale.time_zones[i]["city"] for i in ids if "city" in locale.time_zones.get(i, {})]
        names[zone] = named[0] if named else zone.rsplit("/", 1)[-1].replace("_", " ")
    return names


def _zone_names(locale: Locale) -> dict[str, str]:
    names = {}
    for metazone in set(get_global("meta_zones").values()):
        long = locale.meta_zones.get(metazone, {}).get("long", {})
        name = long.get("generic") or long.get("standard")
        if name:
            names[metazone] = name
    return names


def _usable(names: Mapping[str, _Names]) -> dict[str, frozenset[str]]:
    """kind -> codes that every language can name, apart from each other and in its own script."""
    usable = {}
    for kind in names["en"]:
        codes = set.intersection(*(set(by_kind[kind]) for by_kind in names.values()))
        for language, by_kind in names.items():
            named = by_kind[kind]
            # A year or a code is the same string in every language.
            codes = {c for c in codes if not re.search(r"\d", named[c])}
            if language in NON_LATIN:
                codes = {c for c in codes if not _LATIN.search(named[c])}
        usable[kind] = frozenset(codes - _colliding(kind, codes, names))
    # "Which country is Singapore in?" asks nothing; "Marengo, Indiana" says the answer.
    for by_kind in names.values():
        territories = {by_kind["territory"][code].casefold() for code in usable["territory"]}
        usable["city"] = frozenset(
            zone
            for zone in usable["city"]
            if by_kind["city"][zone].casefold() not in territories and "," not in by_kind["city"][zone]
        )
    return usable


def _colliding(kind: str, codes: set[str], names: Mapping[str, _Names]) -> set[str]:
    """Codes that share their name with another of the kind in some language."""
    shared = set()
    for by_kind in names.values():
        count = Counter(by_kind[kind][code].casefold() for code in codes)
        shared |= {code for code in codes if count[by_kind[kind][code].casefold()] > 1}
    return shared


# --- Sentences -------------------------------------------------------------------------------------------


@cache
def _phrasings(language: str) -> dict[str, Any]:
    return tomllib.loads((PHRASINGS / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def _all_names() -> dict[str, _Names]:
    return {language: _names(language, _phrasings(language)) for language in LANGUAGES}


@cache
def _all_facts() -> tuple[Fact, ...]:
    return tuple(facts(_usable(_all_names())))


@cache
def _all_items() -> tuple[Item, ...]:
    return tuple(_item(fact, _all_names()) for fact in _all_facts())


def _item(fact: Fact, names: Mapping[str, _Names]) -> Item:
    texts: dict[str, dict[str, str]] = {"queries": {}, "passages": {}}
    for language in LANGUAGES:
        slots = _slots(fact, names[language], language)
        for role, by_language in texts.items():
            templates = _phrasings(language)[fact.relation][role]
            template = templates[int(drawn(fact.id, language, role) * len(templates))]
            text = _running("text", template.format_map(slots), language)
            by_language[language] = _capitalised(text, language)
    return Item(fact.id, fact.relation, fact.id, texts["queries"], texts["passages"])


def _slots(fact: Fact, names: _Names, language: str) -> dict[str, str]:
    """Slot -> text: a kind's dictionary form, its running form, and for several answers both as a list."""
    kind, code = fact.key
    slots = {}
    for slot, plural, codes in ((kind, "", (code,)), (fact.answer_kind, "s", fact.answers)):
        plain = [names[slot][c] for c in codes]
        running = [_running(slot, name, language) for name in plain]
        slots[slot], slots[f"the_{slot}"] = plain[0], running[0]
        if plural:
            several = {"territory": "territories"}.get(slot, slot + plural)
            slots[several] = format_list(plain, locale=language)
            slots[f"the_{several}"] = format_list(running, locale=language)
    return slots


def _running(kind: str, name: str, language: str) -> str:
    for pattern, replacement in _phrasings(language).get("running", {}).get(kind, ()):
        if re.search(pattern, name):
            return re.sub(pattern, replacement, name, count=1)
    return name


def _capitalised(text: str, language: str) -> str:
    """A name in its dictionary form may open a sentence."""
    first = "İ" if language == "tr" and text[0] == "i" else text[0].upper()
    return first + text[1:]

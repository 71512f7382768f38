"""The default corpus: what it covers, what it must not give away, and that it is the same every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import unicodedata
from collections import Counter

import pytest
from babel import Locale
from babel.languages import get_official_languages
from babel.numbers import get_territory_currencies

from hybridnb.corpora.cldr import corpus as cldr
from hybridnb.corpora.cldr.corpus import LANGUAGES, NON_LATIN, PHRASINGS, CldrCorpus
from hybridnb.corpora.cldr.facts import Fact
from hybridnb.corpora.parallel import Item

ENDING = {"ar": "؟", "el": ";", "hi": "?", "th": "", "zh": "？"}


@pytest.fixture(scope="module")
def corpus() -> CldrCorpus:
    return cldr.load()


@pytest.fixture(scope="module")
def items(corpus: CldrCorpus) -> list[Item]:
    """Every item of the three splits, the test items rebuilt from the benchmark."""
    bench = corpus.benchmark
    test = [
        Item(
            query,
            corpus.relations[query],
            query,
            {code: bench.queries[code].texts[row] for code in LANGUAGES},
            {code: bench.candidates[code][row] for code in LANGUAGES},
        )
        for row, query in enumerate(bench.queries["en"].ids)
    ]
    return [*corpus.train.items, *corpus.validation.items, *test]


@pytest.fixture(scope="module")
def facts() -> dict[str, Fact]:
    return {fact.id: fact for fact in cldr._all_facts()}


def templates(language: str) -> dict[str, dict[str, list[str]]]:
    tables = tomllib.loads((PHRASINGS / f"{language}.toml").read_text(encoding="utf-8"))
    return {name: table for name, table in tables.items() if "queries" in table}


def slots(template: str) -> set[str]:
    return {name.removeprefix("the_") for name in re.findall(r"{(\w+)}", template)}


def test_sizes_and_names(corpus: CldrCorpus, items: list[Item]) -> None:
    assert len(items) >= 2000
    assert len(corpus.train) >= 1800
    assert 250 <= len(corpus.benchmark.relevance) <= 330
    assert len(corpus.validation) >= 100
    assert corpus.relations == {item.id: item.source for item in items}
    assert (corpus.train.name, corpus.validation.name) == ("cldr:train", "cldr:validation")
    assert corpus.benchmark.name == "cldr"
    assert "currency_of_territory/AD" in corpus.relations


def test_every_item_is_in_all_languages(items: list[Item]) -> None:
    for item in items:
        for texts in (item.queries, item.passages):
            assert set(texts) == set(LANGUAGES)
            assert all(text == text.strip() and text for text in texts.values())


def test_benchmark_is_fully_parallel(corpus: CldrCorpus) -> None:
    bench = corpus.benchmark
    ids = list(bench.queries["en"].ids)
    for code in LANGUAGES:
        assert list(bench.queries[code].ids) == ids
        assert len(bench.candidates[code]) == len(ids)
    for row, query in enumerate(ids):
        assert bench.relevance[query] == dict.fromkeys(LANGUAGES, (row,))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_occurs_twice(language: str, items: list[Item]) -> None:
    """So no question has two answers, and train, validation and test share neither questions nor passages."""
    for texts in ([i.queries[language] for i in items], [i.passages[language] for i in items]):
        assert [text for text, n in Counter(map(str.casefold, texts)).items() if n > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_passage_answers_and_does_not_copy(language: str, items: list[Item], facts: dict[str, Fact]) -> None:
    names = cldr._all_names()[language]
    for item in items:
        fact = facts[item.id]
        passage, query = item.passages[language].casefold(), item.queries[language].casefold()
        kind, key = fact.key
        assert names[kind][key].casefold() in query
        assert names[kind][key].casefold() in passage
        for code in fact.answers:
            assert names[fact.answer_kind][code].casefold() in passage, item.id
        assert query.strip("¿?؟？; ") not in passage


@pytest.mark.parametrize("language", sorted(NON_LATIN))
def test_nothing_common_to_all_scripts(language: str, items: list[Item]) -> None:
    for item in items:
        for text in (item.queries[language], item.passages[language]):
            common = [c for c in text if c.isdigit() or "LATIN" in unicodedata.name(c, "")]
            assert common == [], text


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_end_as_the_language_ends_them(language: str, items: list[Item]) -> None:
    for item in items:
        query = item.queries[language]
        assert query.endswith(ENDING.get(language, "?")), query
        assert not re.search(r"[{}]|\s\s", query + item.passages[language])
        if language == "es":
            assert query.startswith("¿")
        if language == "th":
            assert not re.search(r"[?.]$", query)


def test_phrasings_are_complete_and_varied() -> None:
    relations = set(templates("en"))
    assert len(relations) >= 8
    for language in LANGUAGES:
        phrasings = templates(language)
        assert set(phrasings) == relations
        every = [t for table in phrasings.values() for role in table.values() for t in role]
        assert len(set(every)) == len(every), language
        for relation, table in phrasings.items():
            for role in ("queries", "passages"):
                assert len(table[role]) >= 2, (language, relation)
            (key,) = set.union(*map(slots, table["queries"]))
            for passage in table["passages"]:
                assert key in slots(passage), (language, relation)
                assert len(slots(passage)) == 2, (language, relation)


def test_each_phrasing_is_used(items: list[Item]) -> None:
    for language in LANGUAGES:
        for relation, table in templates(language).items():
            for role, texts in (("queries", "queries"), ("passages", "passages")):
                found = [getattr(i, texts)[language].casefold() for i in items if i.source == relation]
                for template in table[role]:
                    longest = max(re.split(r"{\w+}", template), key=len).casefold().strip(" :«»“”„.")
                    assert any(longest in text for text in found), template


def test_facts_are_those_of_babel(items: list[Item], facts: dict[str, Fact]) -> None:
    english = Locale("en")
    currencies = officials = 0
    for item in items:
        code = facts[item.id].key[1]
        if item.source == "currency_of_territory":
            (currency,) = get_territory_currencies(code)
            assert english.currencies[currency] in item.passages["en"]
            currencies += 1
        if item.source == "official_language_of_territory":
            languages = {tag.split("_")[0] for tag in get_official_languages(code)}
            assert languages == set(facts[item.id].answers)
            officials += 1
    assert currencies > 50 and officials > 50


def test_no_other_passage_states_the_same_fact(facts: dict[str, Fact]) -> None:
    """A currency of a territory is asked from one end only; so are official languages and scripts."""
    told = {
        "currency_of_territory": ("territories_using_currency",),
        "official_language_of_territory": ("territory_of_official_language",),
        "official_languages_of_territory": ("territory_of_official_language",),
        "script_of_language": ("language_of_script",),
    }
    for relation, inverses in told.items():
        stated = {(f.key[1], code) for f in facts.values() if f.relation == relation for code in f.answers}
        inverse = {(code, f.key[1]) for f in facts.values() if f.relation in inverses for code in f.answers}
        assert stated and inverse and not stated & inverse, relation


def test_held_out_questions_are_about_names_seen_in_training(
    corpus: CldrCorpus, facts: dict[str, Fact]
) -> None:
    training = {item.id for item in corpus.train.items}
    shown = Counter(name for fact in facts.values() if fact.id in training for name in fact.names)
    for query in [*corpus.benchmark.relevance, *(item.id for item in corpus.validation.items)]:
        assert shown[facts[query].key] >= 2


def test_hash_seed_does_not_matter(corpus: CldrCorpus) -> None:
    program = (
        "from hybridnb.corpora.cldr import corpus as cldr; c = cldr.load();"
        "print(c.train.sha256, c.validation.sha256, c.benchmark.sha256)"
    )
    here = [corpus.train.sha256, corpus.validation.sha256, corpus.benchmark.sha256]
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        printed = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert printed.stdout.split() == here


def test_fewer_languages_are_the_same_items(corpus: CldrCorpus) -> None:
    two = corpus.train.in_languages(["tr", "en", "en"])
    assert two.languages == ("en", "tr")
    assert [item.id for item in two.items] == [item.id for item in corpus.train.items]
    assert [item.queries["tr"] for item in two.items] == [item.queries["tr"] for item in corpus.train.items]

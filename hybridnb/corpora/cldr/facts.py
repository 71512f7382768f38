"""Which facts Unicode CLDR holds for the default corpus, read from the data inside Babel."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from babel import Locale, localedata
from babel.core import get_global

# CLDR's code of the part of the world that a time-zone identifier begins with.
REGION_OF_AREA = {"Africa": "002", "America": "019", "Asia": "142", "Europe": "150", "Pacific": "009"}
# Its time zone is filed under Europe, CLDR's containment says Western Asia.
_REGION_DISPUTED = frozenset({"TR"})
# A question whose answer is a list stays answerable from a sentence while the list is short.
_LONGEST_LIST = 4
# CLDR's percentages of speakers are estimates: only a majority with a clear lead counts as a fact.
_MAJORITY = 50.0
_CLEAR_LEAD = 10.0
_FAIR_SHARE = 5.0
# Of the pairs of relations that state one fact from its two ends, this fraction is asked from the second end.
_INVERSE_FRACTION = 0.4


@dataclass(frozen=True, slots=True)
class Fact:
    """`key` (kind, code) is named in the question, `answers` of `answer_kind` in the passage only."""

    relation: str
    key: tuple[str, str]
    answer_kind: str
    answers: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.relation}/{self.key[1]}"

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """(kind, code) of every name the fact holds."""
        return (self.key, *((self.answer_kind, code) for code in self.answers))


def drawn(*parts: str) -> float:
    """A number in [0, 1) that depends on these strings alone."""
    digest = hashlib.sha256("\t".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@cache
def zone_ids() -> dict[str, tuple[str, ...]]:
    """Time zone -> its identifiers, the current one first (CLDR files names under older ones)."""
    older = defaultdict(list)
    for alias, current in get_global("zone_aliases").items():
        older[current].append(alias)
    return {zone: (zone, *sorted(older[zone])) for zone in sorted(get_global("zone_territories"))}


def facts(usable: Mapping[str, frozenset[str]]) -> list[Fact]:
    """Every fact all languages can express, by id.

    A fact which two relations could ask from either end is asked from one end only, so that no other
    passage answers a question.
    """
    # Other names would occur in a fact or two, too rarely to learn.
    languages = frozenset(
        code for code in usable["language"] if localedata.exists(code) and code in _languages_of_note()
    )
    found = (
        *_currency_facts(usable["currency"], usable["territory"]),
        *_language_facts(languages, usable["territory"]),
        *_script_facts(languages, usable["script"]),
        *_city_facts(),
        *_territory_facts(usable["territory"]),
    )
    return sorted(
        (
            fact
            for fact in found
            if fact.key[1] in usable[fact.key[0]] and usable[fact.answer_kind].issuperset(fact.answers)
        ),
        key=lambda fact: fact.id,
    )


@cache
def _languages_of_note() -> frozenset[str]:
    """Languages with an official status, or a fair share of the speakers, in some territory."""
    return frozenset(
        code.split("_")[0]
        for spoken in get_global("territory_languages").values()
        for code, entry in spoken.items()
        if entry["official_status"] or entry["population_percent"] >= _FAIR_SHARE
    )


def _asked_inversely(kind: str, code: str) -> bool:
    return drawn("inverse", kind, code) < _INVERSE_FRACTION


def _currency_facts(currencies: frozenset[str], territories: frozenset[str]) -> Iterator[Fact]:
    only: dict[str, str] = {}
    users = defaultdict(list)
    for territory, tenders in sorted(get_global("territory_currencies").items()):
        if territory not in territories:
            continue
        current = [code for code, _, end, tender in tenders if tender and end is None]
        for code in current:
            users[code].append(territory)
        if len(current) == 1:
            only[territory] = current[0]
            past = sorted((end, code) for code, _, end, tender in tenders if tender and end)
            last = [code for end, code in past if end == past[-1][0]]
            if len(last) == 1 and last != current:
                key = ("territory", territory)
                yield Fact("former_currency_of_territory", key, "currency", tuple(last))
    inverse = {
        code: tuple(where)
        for code, where in users.items()
        if code in currencies and len(where) <= _LONGEST_LIST and _asked_inversely("currency", code)
    }
    for code, where in inverse.items():
        yield Fact("territories_using_currency", ("currency", code), "territory", where)
    told = {territory for where in inverse.values() for territory in where}
    for territory, code in only.items():
        if territory not in told:
            yield Fact("currency_of_territory", ("territory", territory), "currency", (code,))


def _language_facts(languages: frozenset[str], territories: frozenset[str]) -> Iterator[Fact]:
    official: dict[str, list[str]] = {}
    most_spoken: dict[str, str] = {}
    states, regions = defaultdict(list), defaultdict(list)
    recognised: set[tuple[str, str]] = set()
    for territory, spoken in sorted(get_global("territory_languages").items()):
        if territory not in territories:
            continue
        # Shares and statuses of a language's written forms (zh_Hant, uz_Cyrl) are the language's.
        percent: dict[str, float] = defaultdict(float)
        status = defaultdict(set)
        for code, entry in spoken.items():
            language = code.split("_")[0]
            percent[language] = max(percent[language], entry["population_percent"])
            status[language].add(entry["official_status"])
        ranked = sorted(percent, key=lambda code: (-percent[code], code))
        first, second = [*(percent[code] for code in ranked), 0.0][:2]
        if first >= _MAJORITY and first - second >= _CLEAR_LEAD:
            most_spoken[territory] = ranked[0]
        recognised |= {(code, territory) for code in ranked if status[code] != {None}}
        for code in ranked:
            if status[code] & {"official", "de_facto_official"}:
                states[code].append(territory)
            elif "official_regional" in status[code]:
                regions[code].append(territory)
        # What is official in fact and not by law has no undisputed answer.
        if not any("de_facto_official" in statuses for statuses in status.values()):
            official[territory] = [code for code in ranked if "official" in status[code]]
    yield from _official_facts(official, states, languages)
    for territory, code in most_spoken.items():
        yield Fact("most_spoken_language_of_territory", ("territory", territory), "language", (code,))
    for code, where in regions.items():
        if code in languages and len(where) == 1:
            yield Fact("territory_of_regional_language", ("language", code), "territory", (where[0],))
    for code in languages:
        home = _likely(code)[-1]
        if (code, home) not in recognised and most_spoken.get(home) != code:
            yield Fact("home_of_language", ("language", code), "territory", (home,))


def _official_facts(
    official: Mapping[str, Sequence[str]], states: Mapping[str, Sequence[str]], languages: frozenset[str]
) -> Iterator[Fact]:
    """official: territory -> its official languages; states: language -> territories where it is official."""
    told = set()
    for code, where in states.items():
        undisputed = code in languages and len(where) == 1 and official.get(where[0])
        if undisputed and _asked_inversely("language", code):
            told.add(where[0])
            yield Fact("territory_of_official_language", ("language", code), "territory", (where[0],))
    for territory, codes in official.items():
        if codes and territory not in told and len(codes) <= _LONGEST_LIST:
            relation = "official_language" + ("s" if len(codes) > 1 else "") + "_of_territory"
            yield Fact(relation, ("territory", territory), "language", tuple(codes))


def _likely(tag: str) -> tuple[str, ...]:
    """(language, script, territory) that CLDR's likely subtags add to a tag; empty strings if none."""
    parts = get_global("likely_subtags").get(tag, "").split("_")
    return tuple(parts) if len(parts) == 3 else ("", "", "")


def _script_facts(languages: frozenset[str], scripts: frozenset[str]) -> Iterator[Fact]:
    written_in = {code: _likely(code)[1] for code in languages}
    count = Counter(written_in.values())
    told = set()
    for script in scripts:
        language, _, territory = _likely(f"und_{script}")
        # A script of many languages belongs to none of them.
        if count[script] <= 1:
            yield Fact("home_of_script", ("script", script), "territory", (territory,))
            if written_in.get(language) == script:
                told.add(language)
                yield Fact("language_of_script", ("script", script), "language", (language,))
    for code, script in written_in.items():
        if code not in told:
            yield Fact("script_of_language", ("language", code), "script", (script,))
        direction = Locale(code).character_order
        yield Fact("direction_of_language", ("language", code), "direction", (direction,))


def _metazone(zone: str) -> str:
    metazones = get_global("meta_zones")
    return next((metazones[i] for i in zone_ids().get(zone, (zone,)) if i in metazones), "")


def _city_facts() -> Iterator[Fact]:
    """Facts about the city that stands for the only time zone of its territory."""
    for territory, zones in get_global("territory_zones").items():
        if len(zones) == 1:
            key = ("city", zones[0])
            yield Fact("territory_of_city", key, "territory", (territory,))
            yield Fact("time_zone_of_city", key, "zone", (_metazone(zones[0]),))
            yield Fact("part_of_world_of_city", key, "region", (_region(territory, zones),))


def _region(territory: str, zones: Sequence[str]) -> str:
    """CLDR's code of the part of the world that all these zones are filed under; empty if there is none."""
    areas = {zone.split("/")[0] for zone in zones}
    clear = len(areas) == 1 and territory not in _REGION_DISPUTED
    return REGION_OF_AREA.get(areas.pop(), "") if clear else ""


def _territory_facts(territories: frozenset[str]) -> Iterator[Fact]:
    for territory, zones in get_global("territory_zones").items():
        key = ("territory", territory)
        metazones = {_metazone(zone) for zone in zones}
        if len(metazones) == 1:
            yield Fact("time_zone_of_territory", key, "zone", tuple(metazones))
        yield Fact("part_of_world_of_territory", key, "region", (_region(territory, zones),))
    seen: set[str] = set()
    for identifier in sorted(localedata.locale_identifiers()):
        territory = identifier.rsplit("_", 1)[-1]
        # In Babel 2.18 a locale under another country's (pt_AO under pt_PT) shows that country's week.
        parent = get_global("parent_exceptions").get(identifier, "").rsplit("_", 1)[-1]
        if territory in territories - seen and parent not in territories:
            seen.add(territory)
            day = Locale.parse(identifier).first_week_day
            yield Fact("first_weekday_of_territory", ("territory", territory), "day", (str(day),))

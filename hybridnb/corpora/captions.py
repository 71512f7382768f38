"""Captions of images, in the layout of Crossmodal-3600's captions.jsonl: they retrieve each other.

A row is an image: {"image/key": id, "image/locale": language, LANGUAGE: {"caption": [text, ...],
"caption/tokenized": ..., "caption/tokenized/lowercase": ...}, ...}. A language may have no caption.

Every caption is a candidate. The first caption of each image in each language is a query: two captions of an
image in a language describe the same thing, and all against all would double the work. Relevant are all other
captions of the image, in its own language (monolingual) and in the others; the query itself is in none of its
pools. Where every image has one caption a language there is no monolingual task.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow, BadRows, check_text, json_lines

KEY = "image/key"
"""The field that the rows of no other layout have."""

Captions = dict[str, dict[str, list[str]]]
"""Image -> language -> its captions."""


def read_captions(
    path: Path, bad: BadRows, languages: Collection[str] | None = None, images: int | None = None
) -> Captions:
    """The captions of a file.

    Args:
        path: The file.
        bad: Gets the bad rows.
        languages: Only these; None: all that are there.
        images: Only the first so many.

    Raises:
        ValueError: There is no image, or none with a caption in one of the languages.
    """
    captions: Captions = {}
    for line, row in json_lines(path, bad):
        if images is not None and len(captions) == images:
            break
        try:
            if KEY not in row:
                raise BadRow(path, line, KEY, "missing", "give every row the key of its image")
            image = check_text(row[KEY], path, line, KEY)
            if image in captions:
                problem = f"{image!r} is there already"
                raise BadRow(path, line, KEY, problem, "give every image one row")
            captions[image] = _of_image(row, languages, path, line)
        except BadRow as error:
            bad.add(error)
    if not captions:
        raise ValueError(f"{path}: no image in it; write one a line")
    for language in sorted(languages or ()):
        if not any(language in of_image for of_image in captions.values()):
            raise BadRow(path, None, language, "no image has captions in it", "leave it out of `languages`")
    return captions


def read_benchmark(path: Path, name: str, *, skip_bad: bool = False) -> Benchmark:
    """The benchmark of all captions of a file; see `read_captions` for the errors."""
    bad = BadRows(skip=skip_bad)
    captions = read_captions(path, bad)
    bad.warn()
    return benchmark_of(name, captions)


def benchmark_of(name: str, captions: Captions) -> Benchmark:
    """The benchmark of captions: query ids are "IMAGE@LANGUAGE", candidate ids "IMAGE@LANGUAGE#0", #1, ...; candidates
    are in the order of the images.
    """
    languages = sorted({language for of_image in captions.values() for language in of_image})
    candidates: dict[str, list[str]] = {language: [] for language in languages}
    ids: dict[str, list[str]] = {language: [] for language in languages}
    queries: dict[str, tuple[list[str], list[str]]] = {language: ([], []) for language in languages}
    relevance: dict[str, dict[str, range]] = {}
    excluded: dict[str, dict[str, range]] = {}
    for image, by_language in captions.items():
        rows = {}  # a range for each image and language, shared by all
        for language, texts in by_language.items():
            first = len(candidates[language])
            candidates[language] += texts
            ids[language] += [f"{image}@{language}#{number}" for number in range(len(texts))]
            rows[language] = range(first, first + len(texts))
        for language, of_image in rows.items():
            others = {**rows, language: of_image[1:]}
            if len(of_image) == 1:
                del others[language]
            if not others:  # the image's only caption in these languages: a candidate, but no query
                continue
            query_id = f"{image}@{language}"
            queries[language][0].append(query_id)
            queries[language][1].append(by_language[language][0])
            relevance[query_id] = others
            excluded[query_id] = {language: of_image[:1]}
    return Benchmark(
        name,
        {language: Queries(*of_language) for language, of_language in queries.items()},
        candidates,
        relevance,
        excluded,
        ids,
    )


def _of_image(
    row: dict[str, Any], languages: Collection[str] | None, path: Path, line: int
) -> dict[str, list[str]]:
    """Language -> captions, in the order of the codes; a language that has none is left out."""
    found: dict[str, list[str]] = {}
    for field, value in row.items():
        if field.startswith("image/"):
            continue
        try:
            language = canonical(field)
        except ValueError:
            remedy = 'captions stand under language codes, {"en": {"caption": [text, ...]}}'
            raise BadRow(path, line, field, "is no language code", remedy) from None
        if language in found:
            raise BadRow(path, line, field, f"{language} is there already, under another code", "keep one")
        if languages is None or language in languages:
            found[language] = _captions(value, field, path, line)
    return {language: texts for language, texts in sorted(found.items()) if texts}


def _captions(value: Any, field: str, path: Path, line: int) -> list[str]:
    if not isinstance(value, dict) or not isinstance(value.get("caption"), list):
        problem = "has no list of captions"
        raise BadRow(path, line, f"{field}.caption", problem, 'write {"caption": [text, ...]}')
    return [
        check_text(text, path, line, f"{field}.caption[{number}]")
        for number, text in enumerate(value["caption"])
    ]

"""Crossmodal-3600 (Thapliyal et al. 2022, arXiv 2205.12522): captions of one image retrieve each other.

3,600 images, 36 languages, 261,375 captions, written for the image and not translated. Every caption is a
candidate. The first caption of each image in each language is a query (129,600 of them): two captions of
an image in a language describe the same thing, and all against all would double the work. Relevant are all
other captions of the image, in its own language (monolingual) and in the others; the query itself is in
none of its pools.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines
from hybridnb.corpora.source import RemoteFile, Source, github, locate
from hybridnb.files import atomic
from hybridnb.places import cache_directory

# All codes but two are ISO 639-1: fil is Filipino, quz Cusco Quechua.
LANGUAGES = (
    *("ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fil", "fr"),
    *("he", "hi", "hr", "hu", "id", "it", "ja", "ko", "mi", "nl", "no", "pl"),
    *("pt", "quz", "ro", "ru", "sv", "sw", "te", "th", "tr", "uk", "vi", "zh"),
)
IN_FILE = {canonical(code): code for code in LANGUAGES}
"""Language -> its code in the file."""
REPOSITORY = "google/crossmodal-3600"
COMMIT = "ad44c380c86cb1240666361caabaf5684507d0ef"

SOURCE = Source(
    "xm3600",
    f"github {REPOSITORY}, commit {COMMIT[:8]} (17 MB)",
    (
        RemoteFile(
            "xm3600/captions.zip",
            github(REPOSITORY, COMMIT, "web-data/captions.zip"),
            digest="sha256:7964f969d39319a96769499b199042015754f8d5607b6aad2d1c2c2e55f5e562",
        ),
    ),
    instead=RemoteFile("xm3600/captions.jsonl"),
)

Captions = Mapping[str, Mapping[str, list[str]]]
"""Image -> language -> its captions."""


def load_benchmark(
    directory: str | Path | None = None,
    *,
    languages: Collection[str] | None = None,
    images: int | None = None,
    skip_bad: bool = False,
) -> Benchmark:
    """The benchmark "xm3600": query ids are "IMAGE@LANGUAGE"; candidates are in the order of the images.

    Args:
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.
        languages: Only these; all 36 by default.
        images: Only the first so many of the file; all by default.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError).
        ValueError: An unknown language, images below 2.
    """
    chosen = sorted({canonical(code) for code in (LANGUAGES if languages is None else languages)})
    if not chosen or (unknown := [language for language in chosen if language not in IN_FILE]):
        wrong = repr(unknown[0]) if chosen else "none"
        raise ValueError(f"languages: {wrong}; XM3600 has {', '.join(IN_FILE)}")
    if images is not None and images < 2:
        raise ValueError(f"images is {images}; give at least 2, or None for all")
    (path,) = locate(SOURCE, directory)
    if path.suffix == ".zip":
        path = _unzipped(path)
    bad = BadRows(skip=skip_bad)
    captions = _read(path, chosen, images, bad)
    bad.warn()
    if not captions:
        raise ValueError(f"{path}: no image in it; fetch it again")
    return _benchmark(captions, chosen)


def _benchmark(captions: Captions, languages: list[str]) -> Benchmark:
    """Queries, candidates and judgements; a range of rows for each image and language, shared by all."""
    candidates: dict[str, list[str]] = {language: [] for language in languages}
    queries: dict[str, tuple[list[str], list[str]]] = {language: ([], []) for language in languages}
    relevance: dict[str, dict[str, range]] = {}
    excluded: dict[str, dict[str, range]] = {}
    for image, by_language in captions.items():
        rows = {}
        for language, texts in by_language.items():
            first = len(candidates[language])
            candidates[language] += texts
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
        "xm3600",
        {language: Queries(*of_language) for language, of_language in queries.items()},
        candidates,
        relevance,
        excluded,
    )


def _read(path: Path, languages: list[str], images: int | None, bad: BadRows) -> Captions:
    """The captions of the first images, in these languages.

    A row is {"image/key": id, "image/locale": language, LANGUAGE: {"caption": [text, ...],
    "caption/tokenized": ..., "caption/tokenized/lowercase": ...}, ...}. A language may have no caption.
    """
    captions: dict[str, dict[str, list[str]]] = {}
    for line, row in json_lines(path, bad):
        if images is not None and len(captions) == images:
            break
        try:
            about_image = {field for field in row if field.startswith("image/")}
            check_fields(row, {"image/key"}, {*about_image, *LANGUAGES}, path, line)
            image = check_text(row["image/key"], path, line, "image/key")
            if image in captions:
                problem = f"{image!r} is there already"
                raise BadRow(path, line, "image/key", problem, "give every image one row")
            captions[image] = {
                language: texts
                for language in languages
                if IN_FILE[language] in row
                and (texts := _captions(row[IN_FILE[language]], IN_FILE[language], path, line))
            }
        except BadRow as error:
            bad.add(error)
    for language in languages:
        if captions and not any(language in of_image for of_image in captions.values()):
            raise BadRow(path, None, language, "no image has captions in it", "leave it out of `languages`")
    return captions


def _captions(value: Any, language: str, path: Path, line: int) -> list[str]:
    if not isinstance(value, dict) or not isinstance(value.get("caption"), list):
        problem = "has no list of captions"
        raise BadRow(path, line, f"{language}.caption", problem, 'write {"caption": [text, ...]}')
    return [
        check_text(text, path, line, f"{language}.caption[{number}]")
        for number, text in enumerate(value["caption"])
    ]


def _unzipped(archive: Path) -> Path:
    """captions.jsonl out of captions.zip, in the cache, under a name that holds its checksum."""
    try:
        with zipfile.ZipFile(archive) as files:
            member = files.getinfo("captions.jsonl")
            target = cache_directory() / "xm3600" / f"captions-{member.CRC:08x}.jsonl"
            if not target.exists():
                with atomic(target) as part, files.open(member) as content, part.open("wb") as out:
                    shutil.copyfileobj(content, out)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        problem = f"not a zip file with captions.jsonl in it ({error})"
        raise BadRow(archive, None, None, problem, "fetch it again") from error
    return target


BENCHMARKS.register(
    "xm3600",
    DataSet(
        "Crossmodal-3600: captions of an image in 36 languages retrieve each other", load_benchmark, SOURCE
    ),
)

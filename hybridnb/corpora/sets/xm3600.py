"""Crossmodal-3600 (Thapliyal et al. 2022, arXiv 2205.12522): captions of one image retrieve each other.

3,600 images, 36 languages, 261,375 captions, written for the image and not translated; 129,600 of them are queries
(see `captions`).
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Collection
from pathlib import Path

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.captions import benchmark_of, read_captions
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow, BadRows
from hybridnb.corpora.source import RemoteFile, Source, github, locate
from hybridnb.files import atomic
from hybridnb.places import cache_directory

# All codes but two are ISO 639-1: fil is Filipino, quz Cusco Quechua.
LANGUAGES = (
    *("ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fil", "fr"),
    *("he", "hi", "hr", "hu", "id", "it", "ja", "ko", "mi", "nl", "no", "pl"),
    *("pt", "quz", "ro", "ru", "sv", "sw", "te", "th", "tr", "uk", "vi", "zh"),
)
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
    known = [canonical(code) for code in LANGUAGES]
    chosen = sorted({canonical(code) for code in (known if languages is None else languages)})
    if not chosen or (unknown := [language for language in chosen if language not in known]):
        wrong = repr(unknown[0]) if chosen else "none"
        raise ValueError(f"languages: {wrong}; XM3600 has {', '.join(known)}")
    if images is not None and images < 2:
        raise ValueError(f"images is {images}; give at least 2, or None for all")
    (path,) = locate(SOURCE, directory)
    if path.suffix == ".zip":
        path = _unzipped(path)
    bad = BadRows(skip=skip_bad)
    captions = read_captions(path, bad, chosen, images)
    bad.warn()
    return benchmark_of("xm3600", captions)


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
        "Crossmodal-3600: captions of an image in 36 languages retrieve each other",
        load_benchmark,
        SOURCE,
        licence="CC-BY-4.0",
    ),
)

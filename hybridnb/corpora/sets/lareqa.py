"""XQuAD-R and MLQA-R: the two benchmarks of LAReQA (arXiv 2004.05484).

A file a language, in SQuAD's JSON with `sentence_breaks` ([start, end) in the context) a paragraph. Every
span of every paragraph is a candidate, with no de-duplication; the relevant candidate of a question is the
span that holds the start of its first answer. The published counts follow from this rule and no other.
(`sentences` is ignored: one Turkish paragraph has a list that differs from its spans.)
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from pathlib import Path
from typing import Any

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.lines import RAISE, BadRow, BadRows, check_text
from hybridnb.corpora.source import RemoteFile, Source, github, locate
from hybridnb.corpora.squad import malformed, member, paragraphs

REPOSITORY = "google-research-datasets/lareqa"
COMMIT = "354d67d1cd066854cdfbf5ad0e6105528976141d"  # later commits have no MLQA-R

# benchmark, language, bytes, sha256 of the file at that commit
FILES = """
xquad-r ar 2234875 c52922d3b8ac1ae03ed5ac38647ad59870dca3dda2beefe18ecdc30729acb69d
xquad-r de 732156 16fb0f4bf4916154b585a20c24c66074591c9718a1affe764ff4697572328949
xquad-r el 2810127 163fd43ee785a30eb534ae2061e9eaa766a7ee4e8ffce5e4b422480c150f64b6
xquad-r en 628651 7b0954f39297c27a31fef610f0883337dd2907fa8699151dc922afdd0fa12ffe
xquad-r es 746335 f8e836b2d91009c4363e04315f7ede363eedbbb49c67dda60de6c4aa782f58de
xquad-r hi 2408404 ea45ba8ae4513d1533b222bebdc02a90bc319c055d3aeea68584a053d2e92872
xquad-r ru 2764904 7f4dff853538b9a5fcc28c070b8bb983a5c5d190ac747b8e005a1ada9cab18f1
xquad-r th 2618544 c3a041864c3a9fb0b4dd91cfdf99cf36b411b3e704c58a303c97bc6dc786cfe4
xquad-r tr 827827 f3e8c13002bbce154a4578f535f7533cb70f3da08840e6b62735935baec7bd94
xquad-r vi 1132303 e35926bf5cc6fc6ecbdfca49467aabeb454f08d152d7818143a906bd31dde995
xquad-r zh 959291 80c2cde7b9c2fb134c303cbb52f2ba396ead9eb0014aec43993543d2ba9e93ed
mlqa-r ar 3329081 2132fbc03208535c0fe01f2e2c5121d06f9c2aa799af93b0a719dbc105bdf137
mlqa-r de 887185 ce9454dc5aa6f2d85c23cd6e49cb367fbb7c4c6e62d7f71e355c6b5dae4d0886
mlqa-r en 2251129 fedd9a5cc0848dda80caf84aa36f482adaae230526a3f6e9e86926a93ef3b1e4
mlqa-r es 819818 70ecba276b8c96a692b120693a595d076ce94ad21d4b28311538a9fcbfe0f9d7
mlqa-r hi 3179023 4dd0fb3c06f737a5481d705bc1dcac7876712a5815c9265908fbb3a0696cb654
mlqa-r vi 1807239 9d3baff6ba03e6793b25594217265ea59a136b9733833dca8a9582a84a78ff85
mlqa-r zh 1360698 57f01d2fff50cf3392805635b01445339f225ad5bf28ba8443b12f8dbd1e69dc
"""


def _source(name: str) -> Source:
    files = [row.split()[1:] for row in FILES.strip().splitlines() if row.startswith(name)]
    return Source(
        name,
        f"github {REPOSITORY}, commit {COMMIT[:8]}",
        tuple(
            RemoteFile(
                f"lareqa/{name}/{language}.json",
                github(REPOSITORY, COMMIT, f"{name}/{language}.json"),
                int(size),
                f"sha256:{sha256}",
            )
            for language, size, sha256 in files
        ),
    )


SOURCES = {name: _source(name) for name in ("xquad-r", "mlqa-r")}


def load_benchmark(name: str, directory: str | Path | None = None, *, skip_bad: bool = False) -> Benchmark:
    """The benchmark "xquad-r" (11 languages, fully parallel) or "mlqa-r" (7, partly parallel).

    Args:
        name: Which of the two.
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.
        skip_bad: Leave bad paragraphs and questions out, in their language alone, with a BadRowsWarning.

    Raises:
        BadRow: A file that is not in the format (a ValueError), with the paragraph and the field.
    """
    bad = BadRows(skip=skip_bad)
    queries: dict[str, Queries] = {}
    candidates: dict[str, list[str]] = {}
    relevance: dict[str, dict[str, list[int]]] = {}
    for path in locate(SOURCES[name], directory):
        language = path.stem
        ids, texts, rows, candidates[language] = read_language(path, bad)
        queries[language] = Queries(ids, texts)
        for query_id, row in zip(ids, rows, strict=True):
            relevance.setdefault(query_id, {})[language] = [row]
    bad.warn()
    return Benchmark(name, queries, candidates, relevance)


def read_language(path: Path, bad: BadRows = RAISE) -> tuple[list[str], list[str], list[int], list[str]]:
    """(question ids, questions, row of each one's relevant candidate, candidates) of one file."""
    questions: dict[str, tuple[str, int]] = {}
    candidates: list[str] = []
    for where, _, paragraph in paragraphs(path, bad):
        try:
            context, starts, ends = _spans(paragraph, path, where)
            spans = [
                check_text(context[start:end], path, None, f"{where}.sentence_breaks[{s}]")
                for s, (start, end) in enumerate(zip(starts, ends, strict=True))
            ]
            asked = member(paragraph, "qas", list, path, where)
        except BadRow as error:
            bad.add(error)
            continue
        for q, question in enumerate(asked):
            at = f"{where}.qas[{q}]"
            try:
                query_id = check_text(member(question, "id", str, path, at), path, None, f"{at}.id")
                if query_id in questions:
                    raise malformed(path, f"{at}.id", f"{query_id!r} is there twice")
                start = _first_answer_start(question, path, at)
                span = bisect_right(starts, start) - 1
                if span < 0 or start >= ends[span]:
                    problem = f"{start} is in no span of sentence_breaks"
                    raise malformed(path, f"{at}.answers[0].answer_start", problem)
                text = check_text(member(question, "question", str, path, at), path, None, f"{at}.question")
            except BadRow as error:
                bad.add(error)
            else:
                questions[query_id] = text, len(candidates) + span
        candidates += spans
    if not questions:
        raise malformed(path, "data", "no question in it")
    texts, rows = zip(*questions.values(), strict=True)
    return list(questions), list(texts), list(rows), candidates


def _spans(paragraph: Any, path: Path, where: str) -> tuple[str, list[int], list[int]]:
    """(context, starts, ends) of the sentence spans: in order, apart, inside the context."""
    context = member(paragraph, "context", str, path, where)
    starts, ends = [], []
    last = 0
    for s, span in enumerate(member(paragraph, "sentence_breaks", list, path, where)):
        match span:
            case [int(start), int(end)] if last <= start < end <= len(context):
                starts.append(start)
                ends.append(end)
                last = end
            case _:
                field = f"{where}.sentence_breaks[{s}]"
                raise malformed(path, field, f"{span} is no span [start, end) after the one before it")
    return context, starts, ends


def _first_answer_start(question: Any, path: Path, where: str) -> int:
    answers = member(question, "answers", list, path, where)
    if not answers:
        raise malformed(path, f"{where}.answers", "no answer")
    return member(answers[0], "answer_start", int, path, f"{where}.answers[0]")


ABOUT = {
    "xquad-r": "LAReQA's XQuAD-R (arXiv 2004.05484): 11 languages, fully parallel, 13,014 candidates",
    "mlqa-r": "LAReQA's MLQA-R: 7 languages, 2 to 4 parallel answers a question, 20,534 candidates",
}
LICENCES = {"xquad-r": "CC-BY-SA-4.0", "mlqa-r": "CC-BY-NC-4.0"}
for _name, _about in ABOUT.items():
    BENCHMARKS.register(
        _name, DataSet(_about, partial(load_benchmark, _name), SOURCES[_name], licence=LICENCES[_name])
    )

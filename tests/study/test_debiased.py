"""Debiasings of an encoder and of the runs of a study: fitted to its vectors, put on them, measured and kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from toy import NAMES, TEMPLATES, TOY, TOY_BENCHMARK, toy_encoder, write_study, write_xquad_r

from hybridnb.corpora.sentences import ParallelSentences, Sides
from hybridnb.debiasing import METHODS, Debiasing, SentenceVectors, fit
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.foreign import load_encoder
from hybridnb.measures.metrics_file import pack
from hybridnb.measures.questions_file import main_values
from hybridnb.retrieval.embeddings import encode_benchmark, encode_sentences
from hybridnb.retrieval.mapped import mapped
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.vectors import Parted
from hybridnb.study import making, plan, recording
from hybridnb.study.data import training_data
from hybridnb.study.debiased import fit_and_measure, of_run, read_sets, save
from hybridnb.study.evaluation import evaluate
from hybridnb.study.runs import read_evaluations
from hybridnb.study.settings import NOT_TRAINED, Recording, Study

pytestmark = pytest.mark.usefixtures("one_thread")

PLACES = [f"{name} {other}" for name in NAMES[:12] for other in NAMES[12:]]
ROWS = [{code: query.format(place) for code, (query, _) in TEMPLATES.items()} for place in PLACES]


def write_sentences(path: Path, rows: list[dict[str, str]] = ROWS) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    return toy_encoder()


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[Sides]:
    return read_sets([str(write_sentences(tmp_path_factory.mktemp("sentences") / "places.jsonl"))])


@pytest.fixture(scope="module")
def vectors(encoder: DualEncoder, sets: list[Sides]) -> SentenceVectors:
    return encode_sentences(encoder, sets, cache=None)


def test_sentences_are_encoded_under_both_prefixes(
    encoder: DualEncoder, sets: list[Sides], vectors: SentenceVectors, tmp_path: Path
) -> None:
    for code in TEMPLATES:
        texts = [row[code] for row in ROWS]
        assert_allclose(vectors.query[code], encoder.encode(texts, "query", progress=False), atol=1e-6)
        assert_allclose(vectors.passage[code], encoder.encode(texts, "passage", progress=False), atol=1e-6)
    twice = encode_sentences(encoder, [*sets, sets[0].cut(limit=5)], cache=tmp_path)
    assert len(twice) == len(ROWS) + 5
    assert_array_equal(twice.query["de"][: len(ROWS)], vectors.query["de"])
    assert_allclose(twice.query["de"][len(ROWS)], vectors.query["de"][0], atol=1e-6)
    kept = sorted(path.name for path in tmp_path.rglob("*.safetensors"))
    assert len(kept) == 4  # a part for each set and kind
    encode_sentences(encoder, sets, cache=tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.safetensors")) == kept


def test_sets_are_cut_to_what_they_share(tmp_path: Path) -> None:
    one = write_sentences(tmp_path / "one.jsonl", [{**row, "fr": "x"} for row in ROWS])
    other = write_sentences(tmp_path / "other.jsonl", [{"de": row["de"], "fr": "y"} for row in ROWS])
    sets = read_sets([str(one), str(other)], limit=10)
    assert [of_set.queries.languages for of_set in sets] == [("de", "fr")] * 2
    assert [len(of_set.queries) for of_set in sets] == [10, 10]
    assert sets[0].queries is sets[0].passages
    assert sets[0].queries.texts["de"][1] == ROWS[len(ROWS) // 10]["de"]
    assert read_sets([str(one)], languages=["en", "es"])[0].queries.languages == ("en", "es")
    with pytest.raises(ValueError, match="one, third have 1 languages in common"):
        read_sets([str(one), str(write_sentences(tmp_path / "third.jsonl", [{"de": "x", "ru": "y"}]))])
    (tmp_path / "two").mkdir()
    with pytest.raises(ValueError, match="two sets of sentences are named one"):
        read_sets([str(one), str(shutil.copy(one, tmp_path / "two"))])


def test_the_training_corpus_gives_queries_and_passages() -> None:
    (sides,) = read_sets(["training"], corpus=TOY)
    assert sides.queries.languages == ("de", "en", "es")
    assert sides.queries.texts["de"] == [item.queries["de"] for item in TOY.items]
    assert sides.passages.texts["de"] == [item.passages["de"] for item in TOY.items]
    with pytest.raises(ValueError, match="toy: no item has query and passage in all of de, fr"):
        read_sets(["training"], corpus=TOY, languages=["de", "fr"])


def test_what_is_measured_was_not_fitted_to(
    encoder: DualEncoder, sets: list[Sides], vectors: SentenceVectors
) -> None:
    debiasing, measured = fit_and_measure(encoder, sets, "one-map", None)
    held_out = range(len(ROWS) // 10)
    rows = np.array([row * len(ROWS) // len(held_out) for row in held_out])
    rest = np.delete(np.arange(len(ROWS)), rows)

    def side(kind: Any, rows: Any) -> Mapping[str, Any]:
        return {code: of_code[rows] for code, of_code in vectors.side(kind).items()}

    again = fit("one-map", SentenceVectors(query=side("query", rest), passage=side("passage", rest)))
    assert debiasing.sha256 == again.sha256
    assert debiasing.made_of["sentences"] == len(rest)
    assert list(debiasing.made_of["sets"]) == ["places"]
    cut = ParallelSentences(
        "x", {code: [ROWS[row][code] for row in rows] for code in TEMPLATES}, list(map(str, rows))
    )
    plain = pack(exact_ranks(cut.as_benchmark(), side("query", rows), side("passage", rows)))
    assert measured["as it is"] == plain
    assert measured["one-map"]["multilingual"]["map"] > plain["multilingual"]["map"]
    assert measured["one-map"]["multilingual"]["rank_distance"] < plain["multilingual"]["rank_distance"]


def test_no_sentences_to_hold_out(encoder: DualEncoder, sets: list[Sides]) -> None:
    with pytest.raises(ValueError, match="there are 9 sentences: give 10 or more"):
        fit_and_measure(encoder, [sets[0].cut(limit=9)], "means", None)
    with pytest.raises(ValueError, match=r"no debiasing method is named 'one-mop'\. Did you mean 'one-map'"):
        fit_and_measure(encoder, sets, "one-mop", None)


def test_an_encoder_compared_by_dot_is_not_debiased(sets: list[Sides], tmp_path: Path) -> None:
    dot = toy_encoder()
    dot.network.similarity_fn_name = "dot"
    with pytest.raises(ValueError, match="compared by 'dot'; debiasings are for cosine"):
        fit_and_measure(dot, sets, "means", None)
    with pytest.raises(ValueError, match="compared by 'dot'; debiasings are for cosine"):
        evaluate(dot, TOY_BENCHMARK, tmp_path, debiasings=[Debiasing("means", ("de",), {}, {})])


def test_an_encoder_is_saved_with_the_maps_behind_it(sets: list[Sides], tmp_path: Path) -> None:
    encoder = toy_encoder()
    debiasing, _ = fit_and_measure(encoder, sets, "one-map", None)
    plain = encoder.encode(NAMES, "query", progress=False)
    save(encoder, debiasing, tmp_path / "fair")
    assert Debiasing.load(tmp_path / "fair" / "debiasing").sha256 == debiasing.sha256
    again = load_encoder(tmp_path / "fair")
    assert_allclose(again.encode(NAMES, "query"), debiasing.apply(plain, "query"), atol=1e-5)
    by_language, _ = fit_and_measure(toy_encoder(), sets, "language-maps", None)
    save(toy_encoder(), by_language, tmp_path / "maps")
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "debiasing.json",
        "maps.safetensors",
    ]


# ---------------------------------------------------------------- on benchmarks


@pytest.fixture(scope="module")
def debiasings(vectors: SentenceVectors) -> dict[str, Debiasing]:
    return {method: fit(method, vectors) for method in ("means", "one-map", "language-maps")}


def by_hand(encoder: Any, debiasing: Debiasing) -> pd.DataFrame:
    queries, candidates = encode_benchmark(encoder, TOY_BENCHMARK, cache=None)
    return exact_ranks(
        TOY_BENCHMARK,
        {code: debiasing.apply(queries[code][:], "query", code) for code in queries},
        {code: debiasing.apply(candidates[code][:], "passage", code) for code in candidates},
    )


def test_a_system_with_debiasings(
    encoder: DualEncoder, debiasings: dict[str, Debiasing], tmp_path: Path
) -> None:
    evaluate(encoder, TOY_BENCHMARK, tmp_path / "plain")
    evaluate(encoder, TOY_BENCHMARK, tmp_path / "out", debiasings=list(debiasings.values()))
    plain, made = (
        json.loads((tmp_path / name / "evaluations.json").read_text())["toy"] for name in ("plain", "out")
    )
    assert made["ranks_sha256"] == plain["ranks_sha256"]
    for method, debiasing in debiasings.items():
        place = tmp_path / "out" / "debiased" / method
        table = pd.read_parquet(place / "ranks" / "toy.parquet")
        expected = by_hand(encoder, debiasing)
        assert_array_equal(table["rank"], expected["rank"])
        assert json.loads((place / "metrics.json").read_text()) == {"toy": pack(expected)}
        entry = json.loads((place / "evaluations.json").read_text())["toy"]
        assert entry["encoder"]["debiasing"] == json.loads(json.dumps(dict(debiasing.made_of)))
        assert entry["encoder_sha256"] not in (plain["encoder_sha256"], "")
        assert entry["benchmark_sha256"] == plain["benchmark_sha256"]


def test_another_debiasing_does_not_take_the_place_of_one(
    encoder: DualEncoder, debiasings: dict[str, Debiasing], vectors: SentenceVectors, tmp_path: Path
) -> None:
    evaluate(encoder, TOY_BENCHMARK, tmp_path, debiasings=[debiasings["one-map"]])
    with pytest.raises(ValueError, match=r"debiased/one-map holds the results of another encoder.*strength"):
        evaluate(encoder, TOY_BENCHMARK, tmp_path, debiasings=[fit("one-map", vectors, strength=77)])


def test_vectors_of_a_file_are_debiased(
    encoder: DualEncoder, debiasings: dict[str, Debiasing], tmp_path: Path
) -> None:
    queries, candidates = encode_benchmark(encoder, TOY_BENCHMARK, cache=None)
    arrays = {f"queries/{code}": queries[code] for code in queries}
    np.savez(
        tmp_path / "mine.npz", **arrays, **{f"candidates/{code}": candidates[code] for code in candidates}
    )
    evaluate(str(tmp_path / "mine.npz"), TOY_BENCHMARK, tmp_path / "out", debiasings=[debiasings["one-map"]])
    table = pd.read_parquet(tmp_path / "out" / "debiased" / "one-map" / "ranks" / "toy.parquet")
    assert_array_equal(table["rank"], by_hand(encoder, debiasings["one-map"])["rank"])
    with pytest.raises(ValueError, match="bm25 has no vectors that could be debiased"):
        evaluate("bm25", TOY_BENCHMARK, tmp_path / "bm25", debiasings=[debiasings["one-map"]])


def test_what_was_fitted_to_a_benchmark_is_not_evaluated_on_it(
    encoder: DualEncoder, debiasings: dict[str, Debiasing], tmp_path: Path
) -> None:
    seen = replace(debiasings["one-map"], made_of={"sets": {"ntrex": "", "flores": ""}})
    for name, named in {"belebele": "flores", "belebele-de-en": "flores", "ntrex": "ntrex"}.items():
        with pytest.raises(ValueError, match=f"one-map was fitted to {named}, whose sentences {name} has"):
            evaluate(encoder, replace(TOY_BENCHMARK, name=name), tmp_path, debiasings=[seen])
    evaluate(encoder, TOY_BENCHMARK, tmp_path, debiasings=[seen])


def test_maps_of_another_encoder_are_warned_of(
    encoder: DualEncoder, debiasings: dict[str, Debiasing], tmp_path: Path
) -> None:
    other = replace(debiasings["means"], made_of={"encoder_sha256": "x"})
    with pytest.warns(UserWarning, match="means was fitted to the vectors of another encoder than small"):
        evaluate(encoder, TOY_BENCHMARK, tmp_path, debiasings=[other])


def test_vectors_on_disk_are_mapped_when_they_are_asked_for(debiasings: dict[str, Debiasing]) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9, 16)).astype(np.float32)
    parted = Parted([lambda: rows[:5], lambda: rows[5:]], np.arange(9), size=5, dimension=16)
    debiasing = debiasings["language-maps"]
    whole = debiasing.apply(rows, "passage", "de")
    lazy = mapped({"de": parted}, debiasing, "passage")["de"]
    assert not isinstance(lazy, np.ndarray) and lazy.shape == (9, 16) and len(lazy) == 9
    assert_array_equal(lazy[:], whole)
    assert_array_equal(lazy[2:7], whole[2:7])
    assert_array_equal(lazy[np.array([8, 0])], whole[[8, 0]])
    told = ["de", "en", None, "es", "de", "en", None, "es", "fr"]
    for vectors in (parted, rows):
        found = mapped({"de": vectors}, debiasing, "passage", {"de": told})["de"]
        for row, language in enumerate(told):
            assert_allclose(found[:][row], debiasing.apply(rows[[row]], "passage", language)[0], atol=1e-6)
        assert_array_equal(found[np.array([3, 1])], found[:][[3, 1]])


def test_languages_are_predicted_for_those_that_need_them(
    encoder: DualEncoder, debiasings: dict[str, Debiasing], tmp_path: Path
) -> None:
    pytest.importorskip("lingua")
    by_language = debiasings["language-maps"]
    evaluate(encoder, TOY_BENCHMARK, tmp_path, debiasings=list(debiasings.values()), predict_languages=True)
    entry = json.loads((tmp_path / "debiased/language-maps/evaluations.json").read_text())["toy"]["encoder"]
    assert entry["debiasing"]["text_languages"] == "predicted"
    one_map = json.loads((tmp_path / "debiased/one-map/evaluations.json").read_text())["toy"]["encoder"]
    assert "text_languages" not in one_map["debiasing"]
    table = pd.read_parquet(tmp_path / "debiased/language-maps/ranks/toy.parquet")
    # lingua knows these languages; what it does not know is a name alone
    assert (table["rank"].to_numpy() == by_hand(encoder, by_language)["rank"].to_numpy()).mean() > 0.5


# ---------------------------------------------------------------- in a study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    write_xquad_r(tmp_path / "data")
    monkeypatch.setattr(plan, "RUNS", tmp_path / "runs")
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "data"))
    write_sentences(tmp_path / "places.jsonl")
    settings = {
        "strategies": ["X-Y"],
        "baseline": True,
        "name": "toy",
        "debiasing.methods": ["means", "one-map"],
        "debiasing.sentences": [str(tmp_path / "places.jsonl"), "training"],
    }
    return Study.load(write_study(tmp_path), settings)


def with_debiasing(study: Study, **values: Any) -> Study:
    return study.model_copy(update={"debiasing": study.debiasing.model_copy(update=values)})


def test_every_run_of_a_study_is_debiased(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = with_debiasing(study, methods=())
    without = making.complete(plain)
    assert not any((run.directory / "debiased").exists() for run in without)
    made = making.complete(study)  # the methods are added later: the same runs
    assert [run.directory for run in made] == [run.directory for run in without]
    corpus, _ = training_data(study)
    sets = read_sets(study.debiasing.sentences, corpus=corpus)
    for run in made:
        encoder = DualEncoder.load(run.encoder_directory)
        vectors = encode_sentences(encoder, sets, cache=None)
        for method in study.debiasing.methods:
            assert run.is_debiased("xquad-r", method) and not run.is_debiased("cldr", method)
            kept = Debiasing.load(run.directory / "debiased" / method)
            assert kept.sha256 == fit(method, vectors).sha256
            assert run.debiased(method).metrics["xquad-r"] == pack(run.debiased(method).ranks("xquad-r"))
            assert run.debiased(method).metrics != run.metrics
        assert not (run.directory / "vectors").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")}
    assert making.complete(study) == made
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")} == before

    # other sentences under the same name: said, and nothing is changed
    other = with_debiasing(study, methods=("means", "one-map", "language-maps"), limit=120)
    with pytest.raises(ValueError, match=r"debiased/means holds results of means fitted to other sentences"):
        making.complete(other)

    for module in (plan, recording):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    more = with_debiasing(study, methods=("means", "language-maps"))
    assert "not evaluated on xquad-r with language-maps" in next(iter(recording.record(more)))
    assert [line.split(": ")[1] for line in recording.record(study)] == ["recorded"] * 2
    monkeypatch.setattr(plan, "RUNS", tmp_path / "elsewhere")
    found = making.complete(study)
    for ours, recorded in zip(made, found, strict=True):
        assert recorded.directory.is_relative_to(tmp_path / "results")
        for method in study.debiasing.methods:
            assert recorded.debiased(method).metrics == ours.debiased(method).metrics
            assert_frame_equal(
                recorded.debiased(method).ranks("xquad-r"), ours.debiased(method).ranks("xquad-r")
            )
            files = {
                path.name for path in (recorded.directory / "debiased" / method).rglob("*") if path.is_file()
            }
            assert files == {"evaluations.json", "metrics.json", "xquad-r.parquet"}
    # of trained runs of a large study, what verdicts need of them
    monkeypatch.setattr(plan, "RUNS", tmp_path / "runs")
    list(recording.record(study.model_copy(update={"recording": Recording(ranks_of_seeds=(0,))})))
    for ours, recorded in zip(made, found, strict=True):
        assert recorded.is_ranked("xquad-r")
        for method in study.debiasing.methods:
            kept, whole = recorded.debiased(method), ours.debiased(method)
            assert kept.is_ranked("xquad-r") == (ours.strategy == NOT_TRAINED)
            assert_frame_equal(kept.question_values("xquad-r"), main_values(whole.ranks("xquad-r")))
            trained = read_evaluations(kept.directory)["xquad-r"].trained
            # of a baseline they are known where the study names them
            assert set(trained) == set(study.languages or ours.info["languages"])


def test_a_debiasing_without_results_is_fitted_anew(
    encoder: DualEncoder, sets: list[Sides], tmp_path: Path
) -> None:
    (first,) = of_run(encoder, sets, ["means"], tmp_path, tmp_path / "cache")
    (other,) = of_run(encoder, [sets[0].cut(limit=20)], ["means"], tmp_path, tmp_path / "cache")
    assert first.sha256 != other.sha256 == Debiasing.load(tmp_path / "means").sha256


def test_sentences_that_cannot_be_read_cost_no_training(study: Study, tmp_path: Path) -> None:
    (tmp_path / "places.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"places\.jsonl, line 1: not a JSON row"):
        making.complete(study)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": ["one-mop"]}, "no debiasing method is named 'one-mop'. Did you mean 'one-map'"),
        ({"methods": ["means"]}, "debiasing.sentences is empty"),
        (
            {"methods": ["means"], "sentences": ["ntrex"], "of_trained": ["lir"]},
            "of_trained names lir, which is none",
        ),
        ({"methods": ["means"], "sentences": ["flore"]}, "is named 'flore'. Did you mean 'flores'"),
        (
            {"methods": ["means"], "sentences": ["flores"], "limit": 1},
            "debiasing.limit is 1; it must be at least 2",
        ),
        ({"methods": ["means"], "sentences": ["flores"], "languages": ["x"]}, "'x' is no language code"),
        ({"method": ["means"]}, "unknown setting debiasing.method; did you mean debiasing.methods"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Study.load("quick", {"debiasing": settings})


def test_what_is_fitted_to_is_no_benchmark() -> None:
    changes = {
        "benchmarks": ["belebele"],
        "debiasing": {"methods": ["means"], "sentences": ["ntrex", "flores"]},
    }
    with pytest.raises(ValueError, match=r"debiasing\.sentences: flores is in the benchmark belebele"):
        Study.load("quick", changes)


def test_every_method_can_be_asked_for() -> None:
    study = Study.load("quick", {"debiasing": {"methods": list(METHODS), "sentences": ["training"]}})
    assert study.debiasing.methods == tuple(METHODS)

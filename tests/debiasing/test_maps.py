"""Debiasings applied, saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from debiasing.vectors import offset, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file

from hybridnb.debiasing import METHODS, Debiasing, fit
from hybridnb.debiasing import maps as module

SENTENCES = offset()
FITTED = {method: fit(method, SENTENCES) for method in METHODS}
every_method = pytest.mark.parametrize("method", METHODS)


@every_method
def test_saved_and_loaded_it_gives_the_same_bits(method: str, tmp_path: Path) -> None:
    debiasing = FITTED[method]
    debiasing.save(tmp_path / "made" / "here")
    loaded = Debiasing.load(tmp_path / "made" / "here")
    assert (loaded.method, loaded.languages, loaded.made_of) == (
        method,
        SENTENCES.languages,
        debiasing.made_of,
    )
    assert (loaded.sha256, loaded.needs_language) == (debiasing.sha256, debiasing.needs_language)
    for kind in ("query", "passage"):
        for language in (*SENTENCES.languages, "sw", None):
            vectors = SENTENCES.side(kind)["de"]
            np.testing.assert_array_equal(
                loaded.apply(vectors, kind, language), debiasing.apply(vectors, kind, language)
            )


@every_method
@settings(max_examples=20)
@given(vectors=arrays(np.float32, (3, 12), elements=st.floats(-1, 1, width=32)))
def test_what_comes_out_has_length_one(method: str, vectors: np.ndarray) -> None:
    # a vector that is mapped to zero is an error: none of these is
    vectors = unit(vectors + 3 * SENTENCES.query["th"][:3])
    for language in ("th", "sw", None):
        mapped = FITTED[method].apply(vectors, "query", language)
        assert mapped.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-6)


@every_method
def test_equal_vectors_stay_equal_wherever_they_stand(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    vectors = np.tile(SENTENCES.passage["en"][:3], (6, 1))
    mapped = FITTED[method].apply(vectors, "passage", "en")
    np.testing.assert_array_equal(mapped, np.tile(mapped[:3], (6, 1)))


@every_method
def test_the_matrix_is_what_is_applied(method: str) -> None:
    debiasing = FITTED[method]
    for kind in ("query", "passage"):
        language = "de" if debiasing.needs_language else None
        matrix, bias = debiasing.matrix(kind, language)
        assert (matrix.dtype, matrix.shape, bias.shape) == (np.float32, (12, 12), (12,))
        vectors = SENTENCES.side(kind)["de"]
        np.testing.assert_allclose(
            unit(vectors @ matrix + bias), debiasing.apply(vectors, kind, language), atol=1e-5
        )


def test_a_method_says_whether_it_needs_the_language() -> None:
    needs = {method for method, debiasing in FITTED.items() if debiasing.needs_language}
    assert needs == {"means", "lir", "shift", "language-maps"}
    with pytest.raises(ValueError, match="means has a map for each language: name one of de, en, th"):
        FITTED["means"].matrix("query")


def test_a_language_is_known_by_any_of_its_codes() -> None:
    vectors, means = SENTENCES.query["de"], FITTED["means"]
    np.testing.assert_array_equal(means.apply(vectors, "query", "deu"), means.apply(vectors, "query", "de"))
    assert not np.array_equal(means.apply(vectors, "query", "sw"), means.apply(vectors, "query", "de"))


@pytest.mark.parametrize(
    ("vectors", "kind", "language", "message"),
    [
        (np.ones((2, 12)), "question", "de", "kind is 'question'"),
        (np.ones((2, 12)), "query", "no language", "is no language code"),
        (np.ones((2, 11)), "query", "de", r"have shape \(2, 11\); means was fitted to \[n, 12\]"),
        (np.ones(12), "query", "de", r"have shape \(12,\)"),
        (np.full((2, 12), np.inf), "query", "de", "query vectors: row 0 is not finite"),
        (np.array([[1.0] * 12, [np.nan] * 12]), "passage", "de", "passage vectors: row 1 is not finite"),
        (
            -FITTED["means"].maps["query"]["de"].offset[None],
            "query",
            "de",
            "row 0 is not finite, or means leaves",
        ),
    ],
)
def test_vectors_that_cannot_be_mapped_are_named(
    vectors: np.ndarray, kind: str, language: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FITTED["means"].apply(vectors, kind, language)  # type: ignore[arg-type]


def test_the_hash_goes_by_what_acts() -> None:
    other = fit("means", offset(seed=1))
    same = Debiasing("means", SENTENCES.languages, FITTED["means"].maps, {"made": "elsewhere"})
    assert same.sha256 == FITTED["means"].sha256
    assert len({debiasing.sha256 for debiasing in (*FITTED.values(), other)}) == len(FITTED) + 1


def cut(directory: Path) -> None:
    file = directory / module.TENSORS
    file.write_bytes(file.read_bytes()[:-9])


def flip(directory: Path) -> None:
    file = directory / module.TENSORS
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def swap(directory: Path) -> None:
    FITTED["means"].save(directory.parent / "other")
    (directory.parent / "other" / module.TENSORS).replace(directory / module.TENSORS)


def foreign(directory: Path) -> None:
    save_file({"dense.weight": np.eye(3)}, directory / module.TENSORS)


def stated(**changes: object) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        file = directory / module.STATED
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def nothing(directory: Path) -> None:
    (directory / module.STATED).write_text('{"model": "bert"}')


def no_json(directory: Path) -> None:
    (directory / module.STATED).write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, r"maps\.safetensors is damaged"),
        (flip, r"maps\.safetensors is damaged"),
        (swap, r"maps\.safetensors is damaged, or .*debiasing\.json is not its own"),
        (foreign, r"maps\.safetensors is damaged, or .*debiasing\.json is not its own"),
        (stated(method="lsar"), r"maps\.safetensors is damaged, or .*debiasing\.json is not its own"),
        (stated(format=2), r"debiasing\.json has format 2; only 1 is known"),
        (stated(languages=None), r"debiasing\.json does not describe a debiasing"),
        (nothing, r"debiasing\.json does not describe a debiasing"),
        (no_json, r"debiasing\.json is damaged"),
    ],
)
def test_a_damaged_or_foreign_file_is_named(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    FITTED["one-map"].save(tmp_path / "saved")
    damage(tmp_path / "saved")
    with pytest.raises(ValueError, match=message) as error:
        Debiasing.load(tmp_path / "saved")
    assert "\n" not in str(error.value)


def test_an_empty_directory_holds_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no debiasing; fit one"):
        Debiasing.load(tmp_path)


def test_another_map_may_take_its_place(tmp_path: Path) -> None:
    FITTED["means"].save(tmp_path)
    FITTED["lsar"].save(tmp_path)
    assert Debiasing.load(tmp_path).method == "lsar"
    assert load_file(tmp_path / module.TENSORS).keys() == {
        f"{kind} * {part}" for kind in ("query", "passage") for part in ("matrix", "offset")
    }

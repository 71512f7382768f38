"""One form for language codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb import corpora
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow
from hybridnb.corpora.sets import mmarco, xm3600

ONE = {
    "zh": ("zh", "ZH", "zh-CN", "zh_CN", "zh-Hans", "zh-Hans-CN", "zh-SG", "cmn", "cmn-Hans"),
    "zh-Hant": ("zh-Hant", "zh-TW", "zh-HK", "zh_Hant_TW", "zh-hant"),
    "yue": ("yue", "zh-yue", "yue-HK"),
    "he": ("he", "iw", "iw-IL", "heb"),
    "no": ("no", "nb", "nb-NO", "no-NO", "nob"),
    "nn": ("nn", "nn-NO"),
    "fil": ("fil", "tl", "tl-PH", "fil-PH"),
    "id": ("id", "in", "ind"),
    "en": ("en", "en-US", "en_GB", "EN", "eng", "en-Latn", "en-x-mine"),
    "ar": ("ar", "arb", "ar-EG"),
    "sw": ("sw", "swh"),
    "sr": ("sr", "sr-Cyrl", "sr-RS"),
    "sr-Latn": ("sr-Latn", "sh", "sr-ME"),
    "pt": ("pt", "pt-BR", "pt-PT"),
    "qu": ("qu", "quz"),
}


@pytest.mark.parametrize("language", ONE)
def test_one_language_has_one_form(language: str) -> None:
    assert {canonical(code) for code in ONE[language]} == {language}


@pytest.mark.parametrize("code", ["english", "", "x-mine", "1", "e", "en ", "und", "de/en", "日本語"])
def test_what_is_no_code(code: str) -> None:
    with pytest.raises(ValueError, match="no language code"):
        canonical(code)


@given(st.text(max_size=12) | st.from_regex(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}", fullmatch=True))
def test_canonical_is_stable_and_refuses_in_one_way(code: str) -> None:
    try:
        language = canonical(code)
    except ValueError as error:
        assert "no language code" in str(error)
    else:
        assert canonical(language) == language


def test_every_data_set_writes_its_languages_so() -> None:
    assert all(
        canonical(code) == code for code in (*corpora.load_benchmark("cldr").languages, *mmarco.PINNED)
    )
    assert [(code, canonical(code)) for code in xm3600.LANGUAGES if canonical(code) != code] == [
        ("quz", "qu")
    ]


def write(path: Path, **texts: str) -> Path:
    path.write_text(json.dumps({"id": "a", "src": "s", "q": texts, "p": texts}))
    return path


def test_codes_of_a_corpus_are_mapped_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", **{"zh-CN": "问", "iw": "ש", "en": "q"})
    with pytest.warns(UserWarning, match=r"a\.jsonl: languages read in one form: iw as he, zh-CN as zh$"):
        corpus = corpora.training_corpus(path)
    assert corpus.languages == ("en", "he", "zh")
    assert corpus.in_languages(["zh-CN", "en-GB"]).languages == ("en", "zh")


def test_two_codes_of_one_language_are_a_bad_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", **{"zh-CN": "问", "zh": "问"})
    with pytest.raises(BadRow, match=r"line 1, field q\.zh: zh is there already, under another code"):
        corpora.training_corpus(path)

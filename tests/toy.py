"""What tests share: toy pairs, texts, models, benchmarks and studies, made where a test needs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizer,
)

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.corpora.sets.lareqa import SOURCES
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.models.small import build_small_encoder

# Universal Declaration of Human Rights, article 1
SENTENCES = {
    "ar": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "en": "All human beings are born free and equal in dignity and rights.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "zh": "人人生而自由,在尊严和权利上一律平等。",
}
TEXTS = [
    piece for text in SENTENCES.values() for piece in (text, text[: len(text) // 2], text[len(text) // 3 :])
]
LETTERS = ["q u e r y p a s s a g e Q P :"]


def tiny_xlmr(directory: Path) -> Path:
    """XLM-R: Unigram pieces, 64 positions, no sentence-transformers files, weights without a pooler."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        TEXTS + LETTERS,
        trainers.UnigramTrainer(
            vocab_size=400, special_tokens=special, unk_token="<unk>", show_progress=False
        ),
    )
    vocab = [tuple(entry) for entry in json.loads(tokenizer.to_str())["model"]["vocab"]]
    vocab.append(vocab.pop(4))  # XLM-R has its mask at the end
    saved = XLMRobertaTokenizer(vocab=vocab, model_max_length=64)
    config = XLMRobertaConfig(
        vocab_size=len(saved),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=66,
        pad_token_id=1,
        initializer_range=0.3,
    )
    torch.manual_seed(1)
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(directory)
    saved.save_pretrained(directory)
    return directory


def tiny_labse(directory: Path) -> Path:
    """LaBSE: cased WordPiece, BERT with a pooler, 48 positions."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        TEXTS + LETTERS,
        trainers.WordPieceTrainer(vocab_size=600, special_tokens=special, show_progress=False),
    )
    saved = BertTokenizer(vocab=tokenizer.get_vocab(), do_lower_case=False, model_max_length=48)
    config = BertConfig(
        vocab_size=len(saved),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
        initializer_range=0.3,
    )
    torch.manual_seed(2)
    BertModel(config).save_pretrained(directory)
    saved.save_pretrained(directory)
    return directory


LANGUAGES = ("aa", "bb", "cc", "dd")
Vectors = dict[str, NDArray[np.float32]]


def random_benchmark(rng: np.random.Generator, *, partly: bool, several: bool, excluded: bool) -> Benchmark:
    """12 questions in 4 languages of 9 to 12 candidates.

    partly: each question and its answers in 1 to 4 of the languages (the questions' languages are not all
    answers' languages); several: up to 3 relevant candidates a language; excluded: up to 2 rows that are
    not in the pool.
    """
    sizes = {language: int(rng.integers(9, 13)) for language in LANGUAGES}
    asked: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    relevance, out = {}, {}
    for number in range(12):
        query_id = f"q{number}"
        answered = rng.permutation(LANGUAGES)[: rng.integers(1, 5) if partly else 4]
        for language in rng.permutation(LANGUAGES)[: rng.integers(1, 5) if partly else 4]:
            asked[language].append(query_id)
        rows = {c: rng.permutation(sizes[c]) for c in LANGUAGES}
        count = {c: int(rng.integers(1, 4)) if several else 1 for c in LANGUAGES}
        relevance[query_id] = {str(c): rows[c][: count[c]].tolist() for c in answered}
        if excluded:
            out[query_id] = {str(c): rows[c][4 : 4 + rng.integers(0, 3)].tolist() for c in LANGUAGES}
    return Benchmark(
        "random",
        {c: Queries(ids, [f"{c} {i}" for i in ids]) for c, ids in asked.items()},
        {c: [f"{c} {row}" for row in range(size)] for c, size in sizes.items()},
        relevance,
        out,
    )


def score_vectors(benchmark: Benchmark, rng: np.random.Generator) -> tuple[Vectors, Vectors]:
    """Vectors whose inner products are any score matrix: queries are unit axes, candidates its columns."""
    count = sum(map(len, benchmark.queries.values()))
    axes = np.eye(count, dtype=np.float32)
    queries, start = {}, 0
    for language, of_language in benchmark.queries.items():
        queries[language] = axes[start : start + len(of_language)]
        start += len(of_language)
    return queries, {
        c: rng.random((len(texts), count), dtype=np.float32) for c, texts in benchmark.candidates.items()
    }


NAMES = [
    *("bana", "kulo", "mire", "tosa", "delu", "fape", "gori", "hune", "jalo", "kemi", "lopa", "mazu"),
    *("nilo", "pefa", "quri", "rosa", "sulo", "timu", "vexa", "wopi", "xilu", "yaro", "zebu", "anko"),
]
TEMPLATES = {
    "de": ("wo wohnt {}?", "{} wohnt am see."),
    "en": ("where does {} live?", "{} lives by the lake."),
    "es": ("donde vive {}?", "{} vive junto al lago."),
}
TOY_ITEMS = [
    Item(
        f"{name}#1",
        "toy",
        name,
        {code: query.format(name) for code, (query, _) in TEMPLATES.items()},
        {code: passage.format(name) for code, (_, passage) in TEMPLATES.items()},
    )
    for name in NAMES
]
TOY = ParallelCorpus("toy", TOY_ITEMS[:16])
HELD_OUT = ParallelCorpus("toy-validation", TOY_ITEMS[16:])


class ItemsWithNegatives(list[Item]):
    """As mmarco's: a passage that does not answer, of each item, in every language."""

    def negative(self, position: int) -> dict[str, str]:
        return {code: f"{NAMES[-1 - position]} not {code}" for code in TEMPLATES}


TOY_WITH_NEGATIVES = ParallelCorpus("toy-negatives", ItemsWithNegatives(TOY_ITEMS))


def toy_encoder(dropout: float = 0.0) -> DualEncoder:
    texts = [text for item in TOY_ITEMS for text in (*item.queries.values(), *item.passages.values())]
    encoder = build_small_encoder(texts, vocabulary=600, layers=1, hidden=16, heads=2)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    return encoder


def static_model(directory: Path, **settings: Any) -> Path:
    """A StaticEmbedding model with prompts, which has no transformer."""
    tokenizer = toy_encoder().tokenizer.backend_tokenizer
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), 24)))
    static = StaticEmbedding(tokenizer, embedding_weights=weights.float().numpy())
    model: Any = SentenceTransformer(
        modules=[static], prompts={"query": "wo ", "document": "am see "}, device="cpu", **settings
    )
    model.save(str(directory), create_model_card=False)
    return directory


TOY_BENCHMARK = Benchmark(
    "toy",
    {code: Queries(NAMES, [item.queries[code] for item in TOY_ITEMS]) for code in TEMPLATES},
    {code: [item.passages[code] for item in TOY_ITEMS] for code in TEMPLATES},
    {name: {code: [row] for code in TEMPLATES} for row, name in enumerate(NAMES)},
)


def stopped_at(step: int) -> Callable[..., None]:
    """What takes the place of a callback and ends the training as Ctrl-C does."""

    def stop(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == step:
            raise KeyboardInterrupt

    return stop


def write_xquad_r(directory: Path) -> Path:
    """A data directory with an XQuAD-R of 24 questions in each of its 11 languages."""
    for file in SOURCES["xquad-r"].files:
        path = directory / file.path
        code = path.stem
        query, passage = TEMPLATES.get(code, (f"{code} {{}}?", f"{{}} {code}."))
        paragraphs = [
            {
                "context": passage.format(name),
                "sentence_breaks": [[0, len(passage.format(name))]],
                "qas": [
                    {"id": name, "question": query.format(name), "answers": [{"text": "", "answer_start": 0}]}
                ],
            }
            for name in NAMES
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 1.0, "data": [{"title": "", "paragraphs": paragraphs}]}))
    return directory


STUDY = """
title = "Toy"
strategies = ["X-X-mono", "hybrid(0.5)"]
seeds = [0]
benchmarks = ["xquad-r"]

[corpus]
training = "{pairs}"
held_out = 0.35

[encoder]
vocabulary = 600
layers = 1
hidden = 16
heads = 2

[training]
steps = 6
batch_size = 4
learning_rate = 3e-3
evaluate_every = 3
validation_batches = 2
"""


def write_study(directory: Path) -> Path:
    """A study of the toy pairs: toy.toml and pairs.jsonl."""
    rows = [{"id": i.id, "src": i.source, "q": i.queries, "p": i.passages} for i in TOY_ITEMS]
    (directory / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "toy.toml").write_text(STUDY.format(pairs=directory / "pairs.jsonl"))
    return directory / "toy.toml"


def write_run_json(directory: Path, **values: Any) -> None:
    """A whole run.json, with these values where another is not the matter."""
    info = {
        "study": "toy", "strategy": "X-Y", "seed": 0, "languages": ["de", "en"], "settings": {}, "corpora": {},
        "model": {"name": "small"}, "steps": 6, "best_step": 6, "pairs_seen": 24, "seconds": 1.0,
        "resumed_at_step": 0, "code": "0" * 40, "device": "a GPU", "versions": {},
    }  # fmt: skip
    (directory / "run.json").write_text(json.dumps({**info, **values}), encoding="utf-8")

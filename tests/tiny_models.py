"""Small local models of the architectures of XLM-R and LaBSE, made where a test needs them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizer,
)

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

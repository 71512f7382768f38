"""A small BERT-type encoder from scratch, with a tokenizer trained on the texts it is for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hybridnb.encoders.known import ENCODERS, Known
from hybridnb.encoders.settings import EncoderSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from hybridnb.encoders.encoder import DualEncoder

# the order and the ids of XLM-R
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")


def build_small_encoder(
    texts: Iterable[str],
    *,
    vocabulary: int = 8000,
    layers: int = 2,
    hidden: int = 160,
    heads: int = 4,
    max_length: int = 128,
    seed: int = 0,
) -> DualEncoder:
    """Build an untrained encoder: BPE tokenizer of the texts, BERT of the given size, mean pooling, no prefixes.

    The same texts and seed give the same encoder in every process; torch's own random state is left alone.

    Args:
        texts: What the tokenizer is trained on.
        vocabulary: Pieces at most, special tokens included.
        layers: How many.
        hidden: Width of the layers and of the vectors.
        heads: Of attention, in each layer.
        max_length: Tokens of queries and passages alike.
        seed: Of the weights.

    Raises:
        ValueError: sizes that do not fit together.

    Example:
        >>> build_small_encoder(["wo wohnt ana", "ana wohnt am see"], vocabulary=60, hidden=16).dimension
        16
    """
    # seconds to import, and a plan needs the name only
    import torch
    from transformers import AutoModel, BertConfig

    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.encoders.pipeline import pipeline_of

    if min(layers, hidden, heads, max_length) < 1:
        raise ValueError(
            f"layers, hidden, heads and max_length are {layers}, {hidden}, {heads} and {max_length}; at least 1 each"
        )
    if hidden % heads:
        raise ValueError(f"hidden is {hidden}, which {heads} heads do not divide")
    tokenizer = train_tokenizer(texts, vocabulary=vocabulary, max_length=max_length)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=max_length,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        # so small a model underfits in the steps it gets, and dropout costs a fifth of a step on a CPU
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModel.from_config(config)
    network = pipeline_of(model, tokenizer, "mean", query_length=max_length, passage_length=max_length)
    return DualEncoder(network, name="small")


def train_tokenizer(texts: Iterable[str], *, vocabulary: int, max_length: int) -> PreTrainedTokenizerFast:
    """Train a BPE tokenizer: NFKC, lower case, words and scripts apart; every character of the texts kept.

    Deterministic, whatever the process.

    Args:
        texts: What it is trained on.
        vocabulary: Pieces at most, special tokens included.
        max_length: Tokens that a text is cut to by default.

    Raises:
        ValueError: no texts, or fewer pieces asked for than there are characters.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.UnicodeScripts(),
            pre_tokenizers.Metaspace(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    size = tokenizer.get_vocab_size()
    if size <= len(SPECIAL_TOKENS):
        raise ValueError("texts is empty: there is nothing to train a tokenizer on")
    if size > vocabulary:
        raise ValueError(f"vocabulary is {vocabulary}, but the texts alone have {size} characters; raise it")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )


def _build(settings: EncoderSettings, texts: Iterable[str], seed: int) -> DualEncoder:
    return build_small_encoder(
        texts,
        vocabulary=settings.vocabulary,
        layers=settings.layers,
        hidden=settings.hidden,
        heads=settings.heads,
        seed=seed,
    )


ENCODERS.register("small", Known("built from the training texts", build=_build))

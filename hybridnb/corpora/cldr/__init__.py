"""The default corpus: questions over facts of Unicode CLDR."""

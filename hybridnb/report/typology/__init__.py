"""Which pairs of languages gain, and is it explained by how far apart they are? From ranks tables, with no model.

`values`: what every question gives for a pair; `gains`: of pairs, groups and languages; `distances`: what may explain
them; `regressions`: what does.
"""

"""What the study asks, each question with a verdict computed from the runs; and facts, which are checked.

`hypotheses`: what is claimed, as data that stands before the runs; `deciding`: verdicts; `words`: verdicts to be read;
`contrasts`: differences between systems, with intervals; `facts`: of the data.
"""

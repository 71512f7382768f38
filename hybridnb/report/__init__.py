"""Numbers -> tables, figures, the paper's figures, claims."""

"""Numbers -> tables, figures, claims, typology; the paper's figures, answers, comparisons, hits; what others load."""

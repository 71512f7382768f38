"""Which runs, made and kept: settings, runs, evaluation, recording, provenance."""

"""Tables of a study, rebuilt from what its runs left on disk. No model is needed, and none is loaded."""

"""Text -> unit vectors: encoders loaded, built, run and saved."""

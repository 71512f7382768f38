"""How the make-up of a training batch decides whether a multilingual dense retriever is fair to languages."""

import os
import warnings

__version__ = "0.1.0"

# Threads that spin while they wait make a busy two-core machine six times slower (60 training steps beside three
# other jobs: 16 s against more than 90 s); it counts only if set before torch starts its threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# tqdm.auto, which others import, wants widgets in a notebook; the progress shown here is plain text
warnings.filterwarnings("ignore", message="IProgress not found")

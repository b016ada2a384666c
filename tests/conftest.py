"""Two workers share two cores: one PyTorch thread each, set before import."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

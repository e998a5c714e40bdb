"""The Bento service: features → ONNX → fusion → ranking."""

import os
import sys

from serving.metrics_folder import count_apart

count_apart(os.environ, sys.argv)  # here, since it must come before any metric is made

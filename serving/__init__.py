"""The Bento service: features → ONNX → fusion → ranking."""

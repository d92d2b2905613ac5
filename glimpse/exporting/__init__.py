"""Export of trained models as programs for other tools: ONNX and PyTorch's exported programs."""

"""The decoders once more, in PyTorch and NumPy and as short as can be: what the C# ones are compared with. Never used for a preview."""

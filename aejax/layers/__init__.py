"""Layer operations: activations, convolution, pooling, normalisation, low-precision products."""

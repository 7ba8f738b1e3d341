"""The course's theorem on the linear autoencoder, and its assumptions."""

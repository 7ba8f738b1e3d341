"""Theorems on learning: dynamics, non-linear encoders, streams, online rules and float32."""

"""A run in a folder: settings, builders, examples, history and metrics."""

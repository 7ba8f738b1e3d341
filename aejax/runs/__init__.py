"""Training runs in folders: settings, builders, examples, history and metrics."""

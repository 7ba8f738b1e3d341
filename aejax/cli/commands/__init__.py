"""The commands of `aejax`, one file a command."""

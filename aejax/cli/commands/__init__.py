"""Subcommands of `aejax`, one file each."""

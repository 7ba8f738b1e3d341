"""Process-level parts of the command line: arguments, signals, errors, output and devices."""

"""What surrounds a command in its process: signals, errors, devices, compilation cache."""

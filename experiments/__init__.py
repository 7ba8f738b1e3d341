"""One readable file for each claim of the course."""

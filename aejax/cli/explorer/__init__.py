"""A trained run to be looked into with a browser: numbers, their addresses, and the page."""

"""Interactive exploration of a trained run in a browser: data, HTTP routes, server and page."""

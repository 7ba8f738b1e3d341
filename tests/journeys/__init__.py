"""Journeys of new users: each starts in an empty folder and uses only what is public."""

"""What a page of theorems shows: each theorem with its picture, computed on the user's data."""

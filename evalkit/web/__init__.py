"""The page where people grade: it sees grading tasks only."""

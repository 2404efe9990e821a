"""A simulated Claude API, served over real HTTP, for first runs and for tests."""

"""Configuration: models, loading, problems with file and line, and the setup that the daemon runs."""

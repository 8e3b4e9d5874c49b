"""The persona and what runs it. Never imports `training` or `plugins`."""

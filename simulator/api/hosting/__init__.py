"""Endpoints and what they are made of: models, endpoint configurations and model packages."""

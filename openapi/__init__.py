"""Generate the OpenAPI document of the API from its routes and models."""

"""The API's own description: an OpenAPI document, made from the models that the API reads by."""

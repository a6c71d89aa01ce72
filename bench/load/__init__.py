"""Put the deployed stack under load: many runs at once, and what their training jobs go through."""

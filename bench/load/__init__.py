"""Put the deployed stack under load: many runs at once, with all the events of their training jobs."""

"""The command, also as ``python -m spot_relay_client``."""

from spot_relay_client.cli import main

if __name__ == "__main__":
    main()

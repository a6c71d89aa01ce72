"""The pages of runs in a browser, with buttons: `spot-relay dashboard`."""

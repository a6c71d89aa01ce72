"""Spot Relay keeps SageMaker training jobs running on spot instances until they finish."""

import sys

from spot_relay.layer_fit import check_layer, describe_running

# Before any other module imports a compiled package.
check_layer(sys.path, describe_running())

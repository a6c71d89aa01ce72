"""The workshop's five workloads, trained for real on the embedded stack: `make examples`."""

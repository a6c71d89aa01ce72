"""What the simulator does outside itself: processes, objects in S3, log lines, events on EventBridge."""

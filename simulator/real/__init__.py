"""What the simulator does outside itself: training processes, objects in S3, log lines, events on EventBridge."""

"""What a function's start takes, from its process to its first answer, beside a floor measured in the same run."""

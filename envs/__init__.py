"""The worlds: robots, scenes, tasks and their batched environments."""

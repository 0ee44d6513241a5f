"""PID 1: boots a machine and supervises what the service files say. Standard library only; imports nothing of hepto."""

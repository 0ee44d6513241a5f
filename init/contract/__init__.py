"""What PID 1 and the agent have agreed on: service files, status files, control verbs, paths and durable writes.

Both sides import these modules and nothing else of each other. Standard library only: PID 1 has nothing more.
"""

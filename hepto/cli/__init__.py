"""The command line: parse, call, print. May import everything; nobody imports it."""

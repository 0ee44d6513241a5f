"""Shared I/O, once each: what touches the world and is needed by more than one part of hepto."""

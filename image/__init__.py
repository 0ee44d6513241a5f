"""The image builder: Debian packages, the compiled stack and our code become one kernel, one stage 0 and one EROFS."""

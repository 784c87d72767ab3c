"""The version, of the distribution and in each result."""

__version__ = "0.1.0"

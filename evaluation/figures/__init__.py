"""Figures of a comparison. They need the extra `compare`."""

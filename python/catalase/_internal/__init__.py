"""Helpers that all packages share: configuration, lazy imports, argument checks, the registry, storage, console, reports.

This is the one private package that other packages may import from; nothing here is meant for users.
"""

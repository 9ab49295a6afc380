"""What all packages share: configuration, lazy imports, checks on the way in, the registry, storage, console and reports.

The one private package that others may import from; nothing here is meant for users.
"""

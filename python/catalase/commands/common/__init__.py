"""Code that several commands share: their declaration, types of options, the user's tables, hits of a screening."""

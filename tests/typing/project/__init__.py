"""A user's project, fully annotated: both type checkers must accept it as it is, and it must run."""

"""What an operator sets: tables of settings and the errors shown to people. Standard library and pydantic only."""

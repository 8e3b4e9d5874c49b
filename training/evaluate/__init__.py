"""`mybot evaluate`: is it me, does it answer, does it keep what is private. One module a question."""

"""Exit codes of the command `aejax`."""

DONE, BAD_INPUT, SIGNALLED = 0, 2, 128  # `aejax verify` returns 1 if a verification fails
CLOSED_PIPE = SIGNALLED + 13  # 13 is SIGPIPE, which Windows lacks

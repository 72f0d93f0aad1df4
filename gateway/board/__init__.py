"""The board and the API: a child process that shows snapshots from the gateway and reads its files."""

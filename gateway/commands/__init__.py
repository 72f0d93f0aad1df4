"""Groups of commands, one Typer app per file; `gateway.cli` puts them together."""

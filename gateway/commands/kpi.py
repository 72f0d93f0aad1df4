"""`lineside kpi …`: what the numbers are, and what they rest on."""

import typer

from gateway.commands import kpi_data, kpi_explain, kpi_numbers, kpi_replay

app = typer.Typer(
    help="KPIs: what there is, what a number rests on, and the same numbers once more.", no_args_is_help=True
)
kpi_numbers.register(app)
kpi_explain.register(app)
kpi_data.register(app)
kpi_replay.register(app)

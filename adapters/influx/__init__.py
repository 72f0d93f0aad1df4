"""InfluxDB 1.x, 2.x and VictoriaMetrics as sinks: one line protocol, one data model (docs/data-model.md)."""

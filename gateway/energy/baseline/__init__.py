"""Energy baselines after ISO 50006: energy as a line over its drivers, judged, versioned, compared."""

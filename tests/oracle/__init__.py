"""An independent oracle: the KPI rules once more in plain, slow Python, sharing no code with gateway.kpi."""

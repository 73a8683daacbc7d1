"""What users would build instead, measured beside the platform."""

"""Training: steps, schedules, validation, and a loop that survives however it ends."""

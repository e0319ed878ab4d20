"""Pictures: piano rolls, pieces with their transitions, evaluations."""

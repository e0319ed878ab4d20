"""Transitions from one melody to another: strategies, plans, scores."""

"""Robots at the desk: builds and arms, the expert and other controllers, closed loop, scores."""

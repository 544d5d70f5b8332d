"""What is on the desk and what is to be done with it."""

"""Training datasets: episodes, action slots, relative chunks, statistics, LeRobot v3 on disk."""

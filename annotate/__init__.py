"""What each arm was doing: episodes and subtasks, from people or proposed by machine."""

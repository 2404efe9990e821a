"""The benchmark rig: evalkit as a whole process beside yardsticks, against a server that keeps its own clock."""

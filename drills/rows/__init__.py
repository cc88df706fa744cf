"""What each drill claims, by what is broken; `drills.matrix` has them all."""

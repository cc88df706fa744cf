"""Whether the time of an answer tells how near a wrong API key is to a right one."""

"""What is done later, one job a file. Every job may run twice and takes row ids or nothing; whoever runs it,
a worker or the clock, does the same work from the same rows."""

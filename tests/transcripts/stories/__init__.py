"""The transcripts as they are written: one module for each file, one function for each transcript."""

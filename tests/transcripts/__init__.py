"""The public suite of transcripts: what clients of chatcore receive, send and show. See the README beside this file."""

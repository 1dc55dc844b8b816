"""One file, or family of files, for each pip extra; what they import of the library is public."""

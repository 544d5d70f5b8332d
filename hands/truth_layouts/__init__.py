"""Public hand data sets as people have them on disk, each read as pictures with true hands."""

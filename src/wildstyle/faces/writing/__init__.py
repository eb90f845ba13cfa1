"""Writers of every format that is read here, and what each of them can hold."""

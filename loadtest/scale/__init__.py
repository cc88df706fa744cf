"""How the cost of documents and searches grows with the number of documents."""

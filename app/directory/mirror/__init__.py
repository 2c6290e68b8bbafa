"""A local index of the numbers in Dataverse, kept up by change tracking."""

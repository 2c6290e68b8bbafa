"""What happened to the calls: figures, pictures and exports."""

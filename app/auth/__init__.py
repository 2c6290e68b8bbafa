"""Who is calling: webhook credentials, networks, admin principals and roles."""

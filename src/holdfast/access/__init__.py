"""Who may do what. Each decision is a pure function; `desk` keeps people, tokens and sessions."""

//! Hands letters over: to a relay by SMTP, to a program, or into a directory (design D19).

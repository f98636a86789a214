//! What we tell others, and what others tell us: aggregate reports (RFC 9990) and failure reports
//! (RFC 9991), and the letters that carry them.

//! How much one SPF check may cost, however a record is written.

/// Terms that ask DNS: `include`, `a`, `mx`, `ptr`, `exists`, `redirect`, and terms with
/// `%{p}` once more (RFC 7208 §4.6.4). The next one is permerror. As each include and
/// redirect is such a term, this bounds their depth too.
pub const MAX_LOOKUP_TERMS: usize = 10;

/// Terms whose questions find nothing (RFC 7208 §4.6.4: "a default of two is
/// RECOMMENDED"). The next one is permerror.
pub const MAX_VOID_LOOKUPS: usize = 2;

/// Mail exchanges of one `mx` (RFC 7208 §4.6.4). One more is permerror.
pub const MAX_MX_HOSTS: usize = 10;

/// Names of the client that `ptr` and `%{p}` look at (RFC 7208 §4.6.4). The rest is ignored.
pub const MAX_PTR_NAMES: usize = 10;

/// The longest record, in octets. Those that fit into one UDP answer have some 450
/// (RFC 7208 §3.4), and the longest seen in earnest a few thousand. A longer one is permerror.
pub const MAX_RECORD_OCTETS: usize = 8 * 1024;

/// Records of one answer. More is permerror: it is work we were sent to do, not data.
pub const MAX_ANSWER_RECORDS: usize = 1_000;

/// The longest local part or HELO argument that is put into a macro: the longest line
/// of SMTP (RFC 5321 §4.5.3.1.6). A term that uses a longer one does not match.
pub const MAX_IDENTITY_OCTETS: usize = 1_000;

/// The longest explanation after its macros are expanded. A longer one is not used.
pub const MAX_EXPLANATION_OCTETS: usize = 1_000;

/// Steps that are kept for the trace. Ten records full of `ip4` have more; none in
/// earnest does.
pub const MAX_STEPS: usize = 1_000;

/// Octets of a term or name that are quoted in a text.
pub const MAX_QUOTED_OCTETS: usize = 256;

/// Octets of a whole record that are quoted in its step.
pub const MAX_QUOTED_RECORD_OCTETS: usize = 2_048;

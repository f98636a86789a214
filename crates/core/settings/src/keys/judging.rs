//! The tables of the mechanisms: SPF, DKIM, ARC and DMARC.

use std::path::PathBuf;
use std::time::Duration;

use landmarc_dmarc::evaluation::DiscoveryMethod;
use landmarc_mail::DomainName;
use landmarc_receiver::policy::{ArcUse, ResultSource};

use crate::value::text::AuthservId;

table! {
    /// Where the results come from that DMARC is worked out of.
    pub struct Authentication {
        keys {
            /// Where the result of SPF comes from.
            spf: ResultSource = ResultSource::Own, reloads since "0.1.0";

            /// Where the results of DKIM come from.
            dkim: ResultSource = ResultSource::Own, reloads since "0.1.0";

            /// Where the result of ARC comes from.
            arc: ResultSource = ResultSource::Own, reloads since "0.1.0";

            /// The names by which those filters go in Authentication-Results, alone or as NAME/JOB with the
            /// queue id of the message; case does not matter. Fields in these names that come from outside
            /// are removed as forged. Empty: "authserv_id".
            trusted_authserv_ids: Vec<AuthservId> = Vec::new(), reloads since "0.1.0";

            /// Whether Received-SPF (RFC 7208 §9.1) is looked at where no Authentication-Results tells of SPF.
            received_spf: bool = false, reloads since "0.1.0";
        }
    }
}

choices! {
    for ResultSource {
        /// it is checked here.
        Own = "self",
        /// a filter ahead of this one tells it in Authentication-Results. Where none does, it is a temporary error.
        Upstream = "upstream",
        /// a filter ahead of this one tells it; where none does, it is checked here.
        UpstreamThenOwn = "upstream-then-self",
    }
}

table! {
    /// Sender Policy Framework (RFC 7208).
    pub struct Spf {
        keys {
            /// Whether the HELO name is checked too (RFC 7208 §2.3 recommends it). It is recorded
            /// and shown; DMARC looks at the MAIL FROM identity only.
            helo_check: bool = true, reloads since "0.1.0";

            /// Whether the sender's explanation of a fail is looked up (RFC 7208 §6.2). It costs a
            /// question for each, and what strangers write is not shown to anybody else.
            fetch_explanation: bool = false, reloads since "0.1.0";
        }
    }
}

table! {
    /// Signatures (RFC 6376, RFC 8301, RFC 8463).
    pub struct Dkim {
        keys {
            /// How many signatures of a message are verified, those of the author's own domain
            /// first. The rest is passed over.
            max_signatures: usize = 10, [1..=100, "signatures"], reloads since "0.1.0";

            /// The shortest RSA key. RFC 8301 §3.2 forbids accepting less than 1024 bits.
            min_rsa_bits: usize = 1024, [1024..=8192, "bits"], reloads since "0.1.0";

            /// The longest RSA key. RFC 8301 §3.2 asks verifiers to take keys of up to 4096 bits.
            max_rsa_bits: usize = 8192, [4096..=8192, "bits"], reloads since "0.1.0";

            /// Whether a signature over the start of the body only (tag "l") is accepted. Anybody
            /// can add text below what is signed (RFC 6376 §8.2).
            accept_body_length: bool = false, reloads since "0.1.0";

            /// Whether a verified signature counts although its key says that it is in testing (flag
            /// "y"). RFC 6376 §3.6.1 would have such a message treated as one that is not signed; but
            /// the signature is genuine all the same, and many domains forget to take the flag away.
            accept_testing_keys: bool = true, reloads since "0.1.0";

            /// How far the clocks of signers may be off from ours, where a signature is dated in
            /// the future or expires.
            clock_skew: Duration = Duration::from_secs(300),
                [Duration::ZERO..=Duration::from_secs(86_400)], reloads since "0.1.0";

            /// Domains whose signatures are not believed, such as public suffixes. Names below them
            /// are not meant.
            refused_domains: Vec<DomainName> = Vec::new(), reloads since "0.1.0";
        }
    }
}

table! {
    /// Chains of custody (RFC 8617).
    pub struct Arc {
        keys {
            /// Which chains are validated.
            validate: ArcUse = ArcUse::Trusted, reloads since "0.1.0";

            /// The domains whose seals are believed: mailing lists and forwarders that check what
            /// they let in. Names below them are not included.
            trusted_sealers: Vec<DomainName> = Vec::new(), reloads since "0.1.0";
        }
    }
}

choices! {
    for ArcUse {
        /// those that a trusted sealer sealed.
        Trusted = "trusted",
        /// every one; the result of others is recorded and shown, and changes nothing.
        Always = "always",
        /// none.
        Never = "never",
    }
}

table! {
    /// How the wish of the Domain Owner is found and compared (RFC 9989).
    pub struct Dmarc {
        keys {
            /// How the DMARC Policy Record and the Organizational Domain are found.
            discovery: DiscoveryMethod = DiscoveryMethod::TreeWalk, reloads since "0.1.0";

            /// Whether the verdict of the other way is worked out too, and told in the log
            /// (rfc7489=). It changes nothing else.
            compare_rfc7489: bool = true, reloads since "0.1.0";

            /// Whether a public suffix that does not say so in its record (psd=y) is kept from being
            /// an Organizational Domain, by the public suffix list. Without it, domains of strangers
            /// below such a suffix would be in alignment with each other.
            unmarked_suffix_guard: bool = true, reloads since "0.1.0";

            /// Whether the tag pct=0 of RFC 7489 is taken for the test mode t=y that RFC 9989 put
            /// in its place.
            pct_zero_as_test: bool = false, reloads since "0.1.0";

            /// The public suffix list. Where this is empty, or at its default and the file does
            /// not exist, the copy inside the program serves.
            public_suffix_list: Option<PathBuf> =
                Some(PathBuf::from("/usr/share/publicsuffix/public_suffix_list.dat")),
                reloads since "0.1.0";
        }
    }
}

choices! {
    for DiscoveryMethod {
        /// by the DNS Tree Walk of RFC 9989 §4.10.
        TreeWalk = "treewalk",
        /// by the public suffix list, as in RFC 7489 §3.2.
        Psl = "psl",
    }
}

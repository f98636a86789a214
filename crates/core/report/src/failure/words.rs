//! The words that RFC 6591 and RFC 9991 register.

use crate::words::words;

words! {
    /// Auth-Failure: what failed (RFC 6591 §3.3, RFC 9991 §4).
    AuthFailure {
        /// Author domain signing practices. Historic: read, never written.
        Adsp => "adsp",
        /// The body is not what was signed.
        BodyHash => "bodyhash",
        /// DMARC.
        Dmarc => "dmarc",
        /// A revoked key. Read, never written: a key that is gone is a signature that does not verify.
        Revoked => "revoked",
        /// A signature does not verify.
        Signature => "signature",
        /// SPF.
        Spf => "spf",
    }
}

words! {
    /// Delivery-Result: what became of the message (RFC 6591 §3.2.2).
    DeliveryResult {
        /// Delivered.
        Delivered => "delivered",
        /// Delivered as spam. Read, never written.
        Spam => "spam",
        /// Not simply delivered, for policy.
        Policy => "policy",
        /// Refused.
        Reject => "reject",
        /// Something else, or unknown.
        Other => "other",
    }
}

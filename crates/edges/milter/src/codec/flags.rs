//! The two flag words of the negotiation: what a filter may do, and how the MTA
//! is to talk.

use std::fmt;

macro_rules! flag_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name(u32);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: Self = Self($bit);)*

            /// All flags that have a name here.
            pub const KNOWN: Self = Self($($bit |)* 0);

            const NAMES: &[(Self, &str)] = &[$((Self::$flag, stringify!($flag))),*];

            /// The flags of a word from the wire; bits without a name are kept.
            #[must_use]
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The word for the wire.
            #[must_use]
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether no flag is set.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether all of `flags` are set here.
            #[must_use]
            pub const fn contains(self, flags: Self) -> bool {
                self.0 & flags.0 == flags.0
            }

            /// The flags of either.
            #[must_use]
            pub const fn union(self, flags: Self) -> Self {
                Self(self.0 | flags.0)
            }

            /// The flags of both.
            #[must_use]
            pub const fn intersection(self, flags: Self) -> Self {
                Self(self.0 & flags.0)
            }

            /// The flags set here and not in `flags`.
            #[must_use]
            pub const fn without(self, flags: Self) -> Self {
                Self(self.0 & !flags.0)
            }
        }

        /// The names, in the order of their bits; `none` when there are none.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut separator = "";
                for (_, name) in Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)) {
                    write!(f, "{separator}{name}")?;
                    separator = " ";
                }
                let unnamed = self.without(Self::KNOWN);
                if !unnamed.is_empty() {
                    write!(f, "{separator}{:#x}", unnamed.0)?;
                } else if self.is_empty() {
                    f.write_str("none")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

flag_set! {
    /// What a filter may do to a message (`SMFIF_*`).
    Actions {
        /// Add header fields, at the end or at a position.
        ADD_HEADERS = 0x001,
        /// Replace the body.
        CHANGE_BODY = 0x002,
        /// Add recipients.
        ADD_RECIPIENTS = 0x004,
        /// Remove recipients.
        DELETE_RECIPIENTS = 0x008,
        /// Change and delete header fields.
        CHANGE_HEADERS = 0x010,
        /// Put the message aside in the MTA's hold or quarantine queue.
        QUARANTINE = 0x020,
        /// Change the reverse-path.
        CHANGE_FROM = 0x040,
        /// Add recipients with ESMTP parameters.
        ADD_RECIPIENTS_WITH_PARAMETERS = 0x080,
        /// Tell the MTA which macros to send at which stage.
        SET_MACRO_LIST = 0x100,
    }
}

flag_set! {
    /// Which steps the MTA leaves out, and which it does not wait at (`SMFIP_*`).
    Protocol {
        /// No CONNECT.
        NO_CONNECT = 0x0000_0001,
        /// No HELO.
        NO_HELO = 0x0000_0002,
        /// No MAIL.
        NO_MAIL = 0x0000_0004,
        /// No RCPT.
        NO_RCPT = 0x0000_0008,
        /// No body chunks.
        NO_BODY = 0x0000_0010,
        /// No header fields.
        NO_HEADERS = 0x0000_0020,
        /// No end of headers.
        NO_END_OF_HEADERS = 0x0000_0040,
        /// No reply to header fields.
        NO_REPLY_HEADER = 0x0000_0080,
        /// No SMTP commands the MTA does not know.
        NO_UNKNOWN = 0x0000_0100,
        /// No DATA.
        NO_DATA = 0x0000_0200,
        /// The filter may answer a body chunk with "no more of these".
        SKIP = 0x0000_0400,
        /// Recipients refused by the MTA are sent, too.
        REJECTED_RECIPIENTS = 0x0000_0800,
        /// No reply to CONNECT.
        NO_REPLY_CONNECT = 0x0000_1000,
        /// No reply to HELO.
        NO_REPLY_HELO = 0x0000_2000,
        /// No reply to MAIL.
        NO_REPLY_MAIL = 0x0000_4000,
        /// No reply to RCPT.
        NO_REPLY_RCPT = 0x0000_8000,
        /// No reply to DATA.
        NO_REPLY_DATA = 0x0001_0000,
        /// No reply to SMTP commands the MTA does not know.
        NO_REPLY_UNKNOWN = 0x0002_0000,
        /// No reply to the end of headers.
        NO_REPLY_END_OF_HEADERS = 0x0004_0000,
        /// No reply to body chunks.
        NO_REPLY_BODY = 0x0008_0000,
        /// Field values keep the blanks after the colon, in both directions.
        HEADER_LEADING_SPACE = 0x0010_0000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_printed_by_name() {
        assert_eq!(
            Actions::ADD_HEADERS.union(Actions::QUARANTINE).to_string(),
            "ADD_HEADERS QUARANTINE"
        );
        assert_eq!(Actions::default().to_string(), "none");
        assert_eq!(Protocol::from_bits(0x2000_0400).to_string(), "SKIP 0x20000000");
    }

    #[test]
    fn sets_are_sets() {
        let both = Actions::ADD_HEADERS.union(Actions::QUARANTINE);
        assert!(both.contains(Actions::QUARANTINE));
        assert!(!both.contains(Actions::CHANGE_BODY.union(Actions::QUARANTINE)));
        assert_eq!(both.without(Actions::QUARANTINE), Actions::ADD_HEADERS);
        assert_eq!(both.intersection(Actions::KNOWN), both);
        assert_eq!(Protocol::KNOWN.bits(), 0x001f_ffff);
        assert_eq!(Actions::KNOWN.bits(), 0x1ff);
    }
}

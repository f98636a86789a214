//! Where commands have their DNS answers from: the network, or a file of zones.

use std::fs;
use std::path::Path;

use landmarc_auth::lookup::{Answer, Lookup, Question, Zones};
use landmarc_dns::resolver::{Asker, MessageLookup, Resolver};
use landmarc_dns::zone_file;
use landmarc_settings::Settings;

use crate::exit::Exit;
use crate::failure::{Failure, failure};
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::rules;
use landmarc_runtime::visible::visible_path;

/// Where answers come from.
pub(crate) enum DnsAnswers {
    Zones(Zones),
    Resolver(Resolver),
}

/// Where the answers for one message, or one question of an operator, come from.
pub(crate) enum MessageAnswers<'a> {
    Zones(&'a Zones),
    Resolver(MessageLookup),
}

impl DnsAnswers {
    /// From this file of zones, or from the name servers that the settings name.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(crate) fn open(zones: Option<&Path>, settings: &Settings) -> Result<Self, Failure> {
        let Some(path) = zones else {
            let resolver = Resolver::new(rules::resolver_options(settings))
                .map_err(|error| Failure::of(Exit::Unavailable, &error))?;
            return Ok(Self::Resolver(resolver));
        };
        let bad = |error: &dyn std::error::Error| {
            failure!(Exit::BadInput, "{}: {}", visible_path(path), error_chain(error))
        };
        let text = fs::read_to_string(path).map_err(|error| bad(&error))?;
        let zones = zone_file::parse(&text).map_err(|error| bad(&error))?;
        Ok(Self::Zones(zones))
    }

    /// Those of one message: a resolver gives it a time limit of its own.
    pub(crate) fn for_message(&self, asker: Asker) -> MessageAnswers<'_> {
        match self {
            Self::Zones(zones) => MessageAnswers::Zones(zones),
            Self::Resolver(resolver) => MessageAnswers::Resolver(resolver.for_message(asker)),
        }
    }
}

impl Lookup for MessageAnswers<'_> {
    async fn ask(&self, question: &Question) -> Answer {
        match self {
            Self::Zones(zones) => zones.ask(question).await,
            Self::Resolver(lookup) => lookup.ask(question).await,
        }
    }
}

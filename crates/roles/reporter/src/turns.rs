//! Making and sending in turns, where both are done at once (`outbox send`).
//!
//! A day of many domains takes minutes to make. Whoever fills it with names of his own must not hold up the report
//! mail about others for as long, nor for good where a run is cut off each time.

use std::sync::Arc;
use std::time::Duration;

use landmarc_store::{Day, StoreError};

use super::addressees::ReportDns;
use super::assemble::DayRequest;
use super::context::{ReportSetup, ReporterContext};
use super::days::{DayMade, Making};
use super::send::{Orders, SendCounts, send};
use landmarc_runtime::stop::Stop;

/// How long each turn is.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Policy domains that are settled before it is sent again.
    pub domains: usize,
    /// How long sending goes on before more is made.
    pub sending: Duration,
}

impl Default for Turns {
    /// Some seconds of making, against a minute of sending: what is made waits for less than what is not.
    fn default() -> Self {
        Self {
            domains: 500,
            sending: Duration::from_secs(60),
        }
    }
}

/// How far it is.
pub enum Progress<'a> {
    /// The reports of a day were made.
    Made(Day, &'a DayMade),
    /// A run of sending has ended.
    Sent(&'a SendCounts),
}

/// Makes the reports of these days, and sends meanwhile what is due, as long as the relay takes it. What is made last
/// is still to be sent.
///
/// # Errors
/// When the store cannot be used.
pub async fn make_and_send<D: ReportDns>(
    context: &Arc<ReporterContext<D>>,
    setup: &Arc<ReportSetup>,
    days: &[DayRequest],
    (orders, turns): (&Orders, Turns),
    stop: &Stop,
    seen: impl Fn(Progress<'_>),
) -> Result<(Vec<(Day, DayMade)>, SendCounts), StoreError> {
    let orders = Orders {
        for_at_most: Some(turns.sending),
        waits: false,
        ..orders.clone()
    };
    let (mut all_made, mut sent) = (Vec::new(), SendCounts::default());
    for request in days {
        let day = request.day;
        let mut making = Making::begin(context, &setup.settings, request).await?;
        while making
            .step(turns.domains, stop, |made| seen(Progress::Made(day, made)))
            .await?
        {
            if sent.relay.is_none() {
                let more = send(context, setup, &orders, stop, |_| {}).await?;
                sent.add(more);
                seen(Progress::Sent(&sent));
            }
        }
        all_made.push((day, making.end().await?));
    }
    Ok((all_made, sent))
}

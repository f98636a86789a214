//! All that was found about one message, and what is to be done with it, as a value.

use landmarc_auth::arc::ArcResult;
use landmarc_auth::dkim::DkimOutcome;
use landmarc_auth::lookup::AskedQuestion;
use landmarc_dmarc::evaluation::{DmarcResult, Evaluation};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::author::Author;
use landmarc_mail::message::HeaderDefect;
use landmarc_mail::{ClientNetwork, DomainName, Envelope};

use crate::action::{Action, AppliedRule, SmtpAction};
use crate::evidence::{self, Evidence, HeaderFacts, Spare};
use crate::removals::Removal;
use crate::seen::{NetworkHistory, Seen, SigningHistory};
use crate::spf::SpfPair;
use crate::upstream::ResultSources;

/// All that was found about a message and what is to be done with it.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The short id of the message; empty where it has none.
    pub id: String,
    /// The envelope.
    pub envelope: Envelope,
    /// The Author Domain, or why there is none.
    pub author: Author,
    /// What is wrong with the header section.
    pub defects: Vec<HeaderDefect>,
    /// What of the header section matters beside the author.
    pub header: HeaderFacts,
    /// SPF.
    pub spf: SpfPair,
    /// DKIM, topmost signature first.
    pub dkim: Vec<DkimOutcome>,
    /// ARC.
    pub arc: ArcResult,
    /// Which of these three others have stated, and who.
    pub result_sources: ResultSources,
    /// One evaluation for each author domain, in their order in the From field.
    pub evaluations: Vec<Evaluation>,
    /// Which of them decides.
    pub deciding: Option<usize>,
    /// The DMARC result of the message.
    pub dmarc: DmarcResult,
    /// What RFC 7489 would have said of the deciding author domain.
    pub rfc7489: Option<Evaluation>,
    /// Evidence about a failing message.
    pub evidence: Vec<Evidence>,
    /// What else kept evidence from standing against it.
    pub spare: Option<Spare>,
    /// What the mail of the last days shows about its author and its client.
    pub seen: SeenOfMessage,
    /// Why it does not simply pass, in one line of printable ASCII, at most
    /// [`MAX_CAUSE_OCTETS`](crate::limits::MAX_CAUSE_OCTETS) long; empty when it does, or DMARC does not apply.
    pub cause: String,
    /// The rule of the operator that decided, if one did.
    pub rule: Option<AppliedRule>,
    /// What the decision is.
    pub decision: Action,
    /// What is done: the decision, unless we only observe.
    pub action: Action,
    /// Our Authentication-Results field, without its name.
    pub authentication_results: String,
    /// Fields that must go before ours is added.
    pub removals: Vec<Removal>,
    /// Every DNS question.
    pub asked: Vec<AskedQuestion>,
}

/// What the mail of the last days shows about the author and the client of a message.
#[derive(Clone, Debug)]
pub struct SeenOfMessage {
    /// Where it was looked for.
    pub table: Seen,
    /// Of the author domain that decides.
    pub signing: Option<SigningHistory>,
    /// Of the network of the client.
    pub network: Option<(ClientNetwork, NetworkHistory)>,
}

impl Judgement {
    /// The evaluation that decides.
    #[must_use]
    pub fn evaluation(&self) -> Option<&Evaluation> {
        self.deciding.and_then(|index| self.evaluations.get(index))
    }

    /// The author domain that decides.
    #[must_use]
    pub fn author_domain(&self) -> Option<&DomainName> {
        self.evaluation().map(|evaluation| &evaluation.author_domain)
    }

    /// A word for what kept a failing message under `p=reject` from being refused where evidence decides;
    /// none where nothing did, or it is refused.
    #[must_use]
    pub fn spared_by(&self) -> Option<&'static str> {
        let is_asked =
            |e: &Evaluation| e.result == DmarcResult::Fail && e.policy == Some(AssessmentPolicy::Reject);
        if !self.evaluation().is_some_and(is_asked) || matches!(self.decision.smtp, SmtpAction::Reject(_)) {
            return None;
        }
        let favour = evidence::in_favour(&self.evidence).map(Evidence::as_str);
        favour.or_else(|| self.spare.as_ref().map(Spare::as_str))
    }

    /// Whether it fails under a policy that asks for more than watching, and is taken all the same:
    /// accepted or set aside, in whatever mode.
    #[must_use]
    pub fn is_taken_against_policy(&self) -> bool {
        let asks = |evaluation: &Evaluation| {
            evaluation.result == DmarcResult::Fail
                && matches!(
                    evaluation.policy,
                    Some(AssessmentPolicy::Quarantine | AssessmentPolicy::Reject)
                )
        };
        self.evaluation().is_some_and(asks) && self.action.smtp.reply().is_none()
    }
}

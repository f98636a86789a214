//! What a rule makes of the action.

use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_dmarc::record::AssessmentPolicy;

use super::facts::Selected;
use crate::action::{Action, AppliedRule, Effect, Override, SmtpAction};
use crate::decide::{self, Case};
use crate::disposition::{Disposition, OverrideKind};
use crate::policy::Rules;
use crate::rule::{Rule, RuleAction};

/// Lets the rules of the operator have their say about what would be done without them.
pub(crate) fn apply(
    selected: Selected<'_>,
    without: Action,
    case: &Case<'_>,
    rules: &Rules,
) -> (Action, Option<AppliedRule>) {
    let Some(rule) = selected.rule else {
        return (in_doubt(without, selected.doubtful, case, rules), None);
    };
    let effect = Effect::of(&without.smtp, rule.action);
    let recorded = (effect != Effect::Unchanged).then(|| Override::Rule {
        kind: rule.kind,
        reason: rule.reason.clone(),
    });
    let action = match &recorded {
        Some(reason) => decided_by(rule, reason, &without, case, rules),
        None => without.clone(),
    };
    let applied = AppliedRule {
        name: rule.name.clone(),
        owner: rule.owner.clone(),
        reason: rule.reason.clone(),
        effect,
        without,
        recorded,
    };
    (in_doubt(action, selected.doubtful, case, rules), Some(applied))
}

fn decided_by(rule: &Rule, reason: &Override, without: &Action, case: &Case<'_>, rules: &Rules) -> Action {
    // Why no policy could be applied stays true; why one was softened does not.
    let mut overrides = without.overrides.clone();
    overrides.retain(|reason| reason.kind() == OverrideKind::Other);
    overrides.push(reason.clone());
    match rule.action {
        RuleAction::Accept => Action {
            disposition: Disposition::None,
            smtp: SmtpAction::Accept,
            overrides,
        },
        RuleAction::Quarantine => Action {
            disposition: Disposition::Quarantine,
            smtp: SmtpAction::Quarantine(rules.quarantine.clone(), quarantine_text(case, rules)),
            overrides,
        },
        RuleAction::Reject => Action {
            disposition: Disposition::Reject,
            smtp: SmtpAction::Reject(decide::refusal(
                case,
                asks_for(case, AssessmentPolicy::Reject),
                rules,
            )),
            overrides,
        },
    }
}

/// What the MTA and the delivery agent read; only what the Domain Owner asks for is said
/// in the name of the policy. Which rule it was is not for them to know.
fn quarantine_text(case: &Case<'_>, rules: &Rules) -> String {
    let asked_for = [AssessmentPolicy::Quarantine, AssessmentPolicy::Reject];
    if asked_for.into_iter().any(|policy| asks_for(case, policy)) {
        decide::quarantine_text(None, case, rules)
    } else {
        decide::quarantine_text(Some("local policy"), case, rules)
    }
}

fn asks_for(case: &Case<'_>, policy: AssessmentPolicy) -> bool {
    case.evaluation
        .is_some_and(|e| e.result == DmarcResult::Fail && e.policy == Some(policy))
}

/// Decision D6: that DNS did not say whether a rule would have spared the message is no ground to
/// refuse it. Setting it aside loses nothing.
fn in_doubt(action: Action, doubtful: Option<&Rule>, case: &Case<'_>, rules: &Rules) -> Action {
    let (Some(rule), SmtpAction::Reject(_)) = (doubtful, &action.smtp) else {
        return action;
    };
    Action {
        disposition: Disposition::Quarantine,
        smtp: SmtpAction::Quarantine(rules.quarantine.clone(), quarantine_text(case, rules)),
        overrides: vec![Override::RuleInDoubt(rule.name.clone())],
    }
}

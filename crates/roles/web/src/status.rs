//! What the pages are made of.

use std::fmt;

use landmarc_mail::text::visible;

/// Can answer what monitoring asks. Both are called for each request, and must not wait.
pub trait Status: Send + Sync + 'static {
    /// All metrics, in the text format of OpenMetrics 1.0.
    fn metrics(&self) -> String;

    /// Whether mail can be judged.
    fn readiness(&self) -> ServiceReadiness;
}

/// Whether the service can do its work, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceReadiness {
    /// The parts, in the order they are told in.
    pub parts: Vec<PartHealth>,
}

/// A part of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHealth {
    /// What it is called: one word.
    pub name: &'static str,
    /// How it is.
    pub health: Health,
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Ok,
    /// It does not quite work, but mail goes on. In words, why.
    Degraded(String),
    /// Mail cannot be judged for it. In words, why.
    Down(String),
}

impl ServiceReadiness {
    /// Whether every part lets mail be judged.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let is_down = |part: &PartHealth| matches!(part.health, Health::Down(_));
        !self.parts.iter().any(is_down)
    }
}

/// A line for each part: `NAME ok`, `NAME degraded: WHY`, `NAME down: WHY`.
impl fmt::Display for ServiceReadiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PartHealth { name, health } in &self.parts {
            match health {
                Health::Ok => writeln!(f, "{name} ok")?,
                Health::Degraded(why) => writeln!(f, "{name} degraded: {}", visible(why))?,
                Health::Down(why) => writeln!(f, "{name} down: {}", visible(why))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_part_and_no_more() {
        let part = |name, health| PartHealth { name, health };
        let readiness = ServiceReadiness {
            parts: vec![
                part("milter", Health::Ok),
                part("store", Health::Degraded("disk full\nmilter down: no".to_owned())),
                part("dns", Health::Down("no server".to_owned())),
            ],
        };
        insta::assert_snapshot!(readiness.to_string(), @r"
            milter ok
            store degraded: disk full\nmilter down: no
            dns down: no server
            ");
    }

    /// Decision D13: mail goes on without the store.
    #[test]
    fn what_is_degraded_is_ready() {
        let of = |health| ServiceReadiness {
            parts: vec![PartHealth {
                name: "store",
                health,
            }],
        };
        assert!(of(Health::Ok).is_ready());
        assert!(of(Health::Degraded(String::new())).is_ready());
        assert!(!of(Health::Down(String::new())).is_ready());
    }
}
